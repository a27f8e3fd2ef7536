/* Environment, pipes, children, and sockets. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define SELF "/bin/test_libc"

int spawn_child(int argc, char **argv);

/* What a child does, by its first argument. */
int spawn_child(int argc, char **argv)
{
    char line[64];
    if (strcmp(argv[1], "child-exit") == 0)
        return atoi(argv[2]);
    if (strcmp(argv[1], "child-environment") == 0)
        return strcmp(getenv("COLOUR"), "blue") == 0 && getenv("OTHER") == NULL ? 0 : 1;
    if (strcmp(argv[1], "child-upper") == 0) {
        while (fgets(line, sizeof line, stdin)) {
            for (char *c = line; *c; c++)
                *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
            fputs(line, stdout);
        }
        return 0;
    }
    if (strcmp(argv[1], "child-abort") == 0)
        abort();
    if (strcmp(argv[1], "child-fault") == 0)
        *(volatile int *)8 = 1;
    if (strcmp(argv[1], "child-wait") == 0)
        pause();
    return 99;
}

void test_environment(void)
{
    CHECK(setenv("TEST_NAME", "one", 1) == 0 && strcmp(getenv("TEST_NAME"), "one") == 0);
    CHECK(setenv("TEST_NAME", "two", 0) == 0 && strcmp(getenv("TEST_NAME"), "one") == 0);
    CHECK(unsetenv("TEST_NAME") == 0 && getenv("TEST_NAME") == NULL);
    CHECK(putenv("TEST_NAME=three") == 0 && strcmp(getenv("TEST_NAME"), "three") == 0);
    CHECK(getpid() > 0);
    char host[64];
    CHECK(gethostname(host, sizeof host) == 0 && host[0]);
}

void test_pipes(void)
{
    int ends[2];
    char data[32];
    if (!CHECK(pipe(ends) == 0))
        return;
    struct pollfd p = {.fd = ends[0], .events = POLLIN};
    CHECK(poll(&p, 1, 0) == 0);
    CHECK(write(ends[1], "hello", 5) == 5);
    CHECK(poll(&p, 1, 1000) == 1 && (p.revents & POLLIN));
    CHECK(read(ends[0], data, sizeof data) == 5 && memcmp(data, "hello", 5) == 0);
    CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    CHECK(read(ends[0], data, sizeof data) == -1 && errno == EAGAIN);
    CHECK(lseek(ends[0], 0, SEEK_SET) == -1 && errno == ESPIPE);
    CHECK(close(ends[1]) == 0 && read(ends[0], data, sizeof data) == 0);
    CHECK(close(ends[0]) == 0);
    signal(SIGPIPE, SIG_IGN);
    CHECK(pipe(ends) == 0 && close(ends[0]) == 0);
    CHECK(write(ends[1], "x", 1) == -1 && errno == EPIPE);
    close(ends[1]);
}

static int run(const char *what, const char *argument, char *const envp[])
{
    char *argv[] = {"test_libc", (char *)what, (char *)argument, NULL};
    pid_t pid;
    int status = -1;
    int error = posix_spawn(&pid, SELF, NULL, NULL, argv, envp);
    if (!CHECK(error == 0))
        return -1;
    CHECK(waitpid(pid, &status, 0) == pid);
    return status;
}

static void test_redirected(void)
{
    posix_spawn_file_actions_t actions;
    char *argv[] = {"test_libc", "child-upper", NULL}, line[32] = "";
    pid_t pid;
    int in[2], out[2], status = -1;
    if (!CHECK(pipe(in) == 0 && pipe(out) == 0))
        return;
    for (int i = 0; i < 2; i++)
        fcntl(in[i], F_SETFD, FD_CLOEXEC), fcntl(out[i], F_SETFD, FD_CLOEXEC);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    CHECK(posix_spawnp(&pid, "test_libc", &actions, NULL, argv, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]), close(out[1]);
    CHECK(write(in[1], "shoal\n", 6) == 6 && close(in[1]) == 0);
    CHECK(read(out[0], line, sizeof line) == 6 && memcmp(line, "SHOAL\n", 6) == 0);
    CHECK(read(out[0], line, sizeof line) == 0 && close(out[0]) == 0);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void test_many(void)
{
    char *argv[] = {"test_libc", "child-wait", NULL};
    pid_t pids[3];
    int status;
    for (int i = 0; i < 3; i++)
        CHECK(posix_spawn(&pids[i], SELF, NULL, NULL, argv, environ) == 0);
    CHECK(waitpid(-1, &status, WNOHANG) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(kill(pids[i], SIGTERM) == 0);
    for (int i = 0; i < 3; i++) {
        pid_t pid = wait(&status);
        CHECK(pid > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    }
    CHECK(wait(&status) == -1 && errno == ECHILD);
}

void test_spawn(void)
{
    char *environment[] = {"COLOUR=blue", NULL};
    char line[64] = "";
    pid_t pid;
    int status = run("child-exit", "7", environ);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    CHECK(run("child-environment", NULL, environment) == 0);
    status = run("child-abort", NULL, environ);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    status = run("child-fault", NULL, environ);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    test_redirected();
    test_many();
    CHECK(posix_spawn(&pid, "/bin/no-such-program", NULL, NULL, environment, environ) == ENOENT);
    if (system(NULL)) {
        CHECK(system("exit 3") == 3 << 8);
        FILE *f = popen("echo from a shell", "r");
        CHECK(f && fgets(line, sizeof line, f) && strcmp(line, "from a shell\n") == 0 && pclose(f) == 0);
    }
}

static int listener;

static void *answer(void *argument)
{
    char data[16];
    int fd = accept(listener, NULL, NULL);
    ssize_t got = fd < 0 ? -1 : recv(fd, data, sizeof data, 0);
    if (got > 0)
        send(fd, data, (size_t)got, 0);
    if (fd >= 0)
        close(fd);
    return NULL;
}

static void test_texts(void)
{
    struct in_addr address;
    char text[INET_ADDRSTRLEN];
    CHECK(inet_pton(AF_INET, "10.1.2.255", &address) == 1 && ntohl(address.s_addr) == 0x0a0102ff);
    CHECK(inet_ntop(AF_INET, &address, text, sizeof text) && strcmp(text, "10.1.2.255") == 0);
    CHECK(inet_pton(AF_INET, "10.1.2.256", &address) == 0 && inet_pton(AF_INET, "10.1.2", &address) == 0);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    CHECK(getaddrinfo("127.0.0.1", "80", &hints, &found) == 0);
    CHECK(((struct sockaddr_in *)found->ai_addr)->sin_port == htons(80) && !found->ai_next);
    freeaddrinfo(found);
    CHECK(getaddrinfo("127.0.0.1", "no-service", &hints, &found) == EAI_SERVICE);
}

/* Over the loopback address, where there is a network server. */
void test_sockets(void)
{
    struct sockaddr_in address = {.sin_len = sizeof address,
                                  .sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)},
                                  .sin_port = htons(7000)};
    char data[16];
    pthread_t thread;
    test_texts();
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0) {
        CHECK(errno == ENETDOWN);
        printf("  (no network server here)\n");
        return;
    }
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 4) == 0);
    CHECK(pthread_create(&thread, NULL, answer, NULL) == 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(send(fd, "ping", 4, 0) == 4);
    CHECK(recv(fd, data, 4, MSG_WAITALL) == 4 && memcmp(data, "ping", 4) == 0);
    CHECK(recv(fd, data, 4, 0) == 0);
    pthread_join(thread, NULL);
    close(fd);
    close(listener);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_port = htons(7001);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == -1 && errno == ECONNREFUSED);
    close(fd);
}
