#include "shell.h"

#include <dirent.h>
#include <string.h>

void directory_entries(const char *directory, void (*add)(const char *name, void *list), void *list, void *context)
{
    DIR *dir = opendir(directory);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            add(entry->d_name, list);
    closedir(dir);
}
