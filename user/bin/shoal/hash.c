/* hash: SHA-256 of files, as sha256sum shows it. */
#include "shoal.h"

#include <base/sha256.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int hash_stream(FILE *stream, const char *name)
{
    static char buffer[32768];
    struct sha256 sum;
    uint8_t out[SHA256_BYTES];
    size_t n;
    sha256_begin(&sum);
    while ((n = fread(buffer, 1, sizeof buffer, stream)) > 0)
        sha256_add(&sum, buffer, n);
    if (ferror(stream))
        return fail("%s: %s", name, strerror(errno));
    sha256_end(&sum, out);
    for (unsigned i = 0; i < sizeof out; i++)
        printf("%02x", out[i]);
    printf("  %s\n", name);
    return 0;
}

int hash_run(int argc, char **argv)
{
    int status = argc > 1 ? 0 : hash_stream(stdin, "-");
    for (int i = 1; i < argc; i++) {
        FILE *stream = fopen(argv[i], "r");
        if (!stream) {
            status = fail("%s: %s", argv[i], strerror(errno));
            continue;
        }
        status |= hash_stream(stream, argv[i]);
        fclose(stream);
    }
    return status;
}
