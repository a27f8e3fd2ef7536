/* One line from the user: with editing on a terminal, plainly otherwise. */
#include "shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void input_start(void)
{
}

char *input_line(const char *prompt)
{
    char *line = NULL;
    size_t room = 0;
    if (shell.interactive) {
        fputs(prompt, stdout);
        fflush(stdout);
    }
    if (getline(&line, &room, stdin) < 0) {
        free(line);
        return NULL;
    }
    line[strcspn(line, "\n")] = 0;
    return line;
}
