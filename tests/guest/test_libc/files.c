/* Streams, files and directories, in /tmp and in the boot bundle. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#define NAME "/tmp/test_libc.txt"

void test_stdio(void)
{
    char line[64];
    int number = 0;
    FILE *f = fopen(NAME, "w+");
    if (!CHECK(f != NULL))
        return;
    CHECK(fprintf(f, "first %d\nsecond\n", 17) == 16);
    rewind(f);
    CHECK(fscanf(f, "first %d\n", &number) == 1 && number == 17);
    CHECK(fgets(line, sizeof line, f) && strcmp(line, "second\n") == 0);
    CHECK(fgets(line, sizeof line, f) == NULL && feof(f));
    CHECK(fseek(f, 6, SEEK_SET) == 0 && fgetc(f) == '1' && ungetc('x', f) == 'x' && fgetc(f) == 'x');
    CHECK(ftell(f) == 7);
    CHECK(setvbuf(f, NULL, _IONBF, 0) == 0 && fclose(f) == 0);
    f = fopen(NAME, "a");
    CHECK(f && fputs("third\n", f) >= 0 && fclose(f) == 0);
    f = fopen(NAME, "r");
    CHECK(f && fread(line, 1, sizeof line, f) == 22 && memcmp(line + 16, "third\n", 6) == 0);
    CHECK(f && fputs("no", f) == EOF && ferror(f) && fclose(f) == 0);
    errno = 0;
    CHECK(fopen("/tmp/none/such", "r") == NULL && errno == ENOENT);
    FILE *scratch = tmpfile();
    CHECK(scratch && fputs("x", scratch) >= 0 && fclose(scratch) == 0);
    CHECK(remove(NAME) == 0 && access(NAME, F_OK) == -1);
}

/* Bytes that tell where they belong. */
static unsigned char pattern(size_t at)
{
    return (unsigned char)(at * 31 + (at >> 8) * 7);
}

static void test_large(void)
{
    enum { BYTES = 300000 };
    static unsigned char data[BYTES];
    int fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (!CHECK(fd >= 0))
        return;
    for (size_t i = 0; i < BYTES; i++)
        data[i] = pattern(i);
    CHECK(write(fd, data, BYTES) == BYTES);
    memset(data, 0, BYTES);
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    size_t done = 0;
    for (ssize_t got; (got = read(fd, data + done, BYTES - done)) > 0;)
        done += (size_t)got;
    CHECK(done == BYTES);
    size_t wrong = 0;
    for (size_t i = 0; i < BYTES; i++)
        wrong += data[i] != pattern(i);
    CHECK(wrong == 0);
    CHECK(pread(fd, data, 10, 100000) == 10 && data[3] == pattern(100003));
    CHECK(pwrite(fd, "AB", 2, BYTES - 2) == 2 && pread(fd, data, 5, BYTES - 2) == 2 && data[1] == 'B');
    CHECK(close(fd) == 0);
}

void test_files(void)
{
    struct stat status;
    char text[16];
    test_large();
    int fd = open(NAME, O_RDWR);
    CHECK(fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 300000);
    CHECK(ftruncate(fd, 5) == 0 && lseek(fd, 0, SEEK_END) == 5);
    int twin = dup(fd);
    CHECK(lseek(fd, 2, SEEK_SET) == 2 && lseek(twin, 0, SEEK_CUR) == 2); /* one open file, one position */
    CHECK(dup2(fd, 9) == 9 && fcntl(9, F_SETFD, FD_CLOEXEC) == 0 && fcntl(9, F_GETFD, 0) == FD_CLOEXEC);
    CHECK(close(9) == 0 && close(twin) == 0 && close(fd) == 0 && close(fd) == -1 && errno == EBADF);
    CHECK(open(NAME, O_CREAT | O_EXCL | O_WRONLY, 0644) == -1 && errno == EEXIST);
    fd = open(NAME, O_WRONLY | O_APPEND);
    CHECK(write(fd, "end", 3) == 3 && close(fd) == 0);
    CHECK(stat(NAME, &status) == 0 && status.st_size == 8);
    CHECK(rename(NAME, NAME ".new") == 0 && stat(NAME, &status) == -1 && errno == ENOENT);
    CHECK(unlink(NAME ".new") == 0 && unlink(NAME ".new") == -1 && errno == ENOENT);
    CHECK(open("/bin/test_libc", O_WRONLY) == -1 && errno == EROFS);
    fd = open("/bin/test_libc", O_RDONLY);
    CHECK(fd >= 0 && read(fd, text, 4) == 4 && memcmp(text, "\177ELF", 4) == 0 && close(fd) == 0);
    CHECK(open("", O_RDONLY) == -1 && errno == ENOENT);
}

void test_directories(void)
{
    bool found = false;
    char cwd[64];
    int entries = 0;
    CHECK(mkdir("/tmp/test_dir", 0755) == 0 && mkdir("/tmp/test_dir", 0755) == -1 && errno == EEXIST);
    CHECK(chdir("/tmp/test_dir/../test_dir/.") == 0 && strcmp(getcwd(cwd, sizeof cwd), "/tmp/test_dir") == 0);
    FILE *f = fopen("inside", "w");
    CHECK(f && fclose(f) == 0 && access("/tmp/test_dir/inside", R_OK) == 0);
    CHECK(rmdir("/tmp/test_dir") == -1 && errno == ENOTEMPTY);
    DIR *dir = opendir(".");
    if (CHECK(dir != NULL)) {
        for (struct dirent *entry; (entry = readdir(dir));) {
            entries++;
            found |= strcmp(entry->d_name, "inside") == 0 && entry->d_type == DT_REG;
        }
        CHECK(found && entries >= 1 && closedir(dir) == 0);
    }
    CHECK(chdir("/") == 0 && unlink("/tmp/test_dir/inside") == 0 && rmdir("/tmp/test_dir") == 0);
    CHECK(chdir("/tmp/test_dir") == -1 && errno == ENOENT);
    CHECK(opendir("/bin/test_libc") == NULL && errno == ENOTDIR);
    struct dirent **list;
    int count = scandir("/bin", &list, NULL, alphasort);
    CHECK(count > 5);
    for (int i = 0; i + 1 < count; i++)
        CHECK(strcmp(list[i]->d_name, list[i + 1]->d_name) < 0);
    for (int i = 0; i < count; i++)
        free(list[i]);
    if (count > 0)
        free(list);
}
