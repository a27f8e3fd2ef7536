/* Gives the files that are named to a fuzz target, one after the other: for builds without libFuzzer. */
#include "fuzz.h"

int main(int argc, char **argv)
{
    static uint8_t data[1u << 20];
    for (int i = 1; i < argc; i++) {
        FILE *in = fopen(argv[i], "rb");
        MUST(in != NULL);
        size_t bytes = fread(data, 1, sizeof(data), in);
        fclose(in);
        LLVMFuzzerTestOneInput(data, bytes);
    }
    return 0;
}
