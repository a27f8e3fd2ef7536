/* hostile [MODE]: tells the hostile network server of this node (tests/system/hostile) what to do from now on, and
 * prints what it does and how often it has done so. */
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONTROL_PORT = 7448, TRIES = 10, PATIENCE_MS = 1000 };

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "?";
    char answer[64];
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(CONTROL_PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    for (int i = 0; fd >= 0 && i < TRIES; i++) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (sendto(fd, word, strlen(word), 0, (struct sockaddr *)&at, sizeof at) < 0 ||
            poll(&ready, 1, PATIENCE_MS) < 1)
            continue;
        ssize_t n = recv(fd, answer, sizeof answer - 1, 0);
        if (n <= 0)
            continue;
        answer[n] = 0;
        fputs(answer, stdout);
        return 0;
    }
    fputs("hostile: no answer\n", stderr);
    return 1;
}
