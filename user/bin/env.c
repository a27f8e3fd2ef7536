/* env: prints the environment, one NAME=value a line. */
#include <stdio.h>

extern char **environ;

int main(int argc, char **argv)
{
    if (argc > 1) {
        fprintf(stderr, "env: no words are expected; usage: env (`export NAME=VALUE` sets a variable)\n");
        return 2;
    }
    for (char **e = environ; e && *e; e++)
        puts(*e);
    return 0;
}
