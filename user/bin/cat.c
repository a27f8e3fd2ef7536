/* cat [FILE...]: prints files one after the other. */
#include <cli/each_file.h>

static void print(FILE *stream, const char *name, void *context)
{
    static char buffer[16384];
    size_t n;
    while ((n = fread(buffer, 1, sizeof buffer, stream)) > 0 && fwrite(buffer, 1, n, stdout) == n)
        ;
}

int main(int argc, char **argv)
{
    return each_file("cat", argc - 1, argv + 1, print, NULL);
}
