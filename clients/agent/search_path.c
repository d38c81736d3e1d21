// SPDX-License-Identifier: Apache-2.0
#include "search_path.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The next folder of *cursor, or false at the end; an empty one is the current folder. */
static bool next_folder(const char **cursor, size_t *length, const char **folder)
{
    if (*cursor == NULL)
        return false;
    *folder = *cursor;
    *length = strcspn(*cursor, ":");
    *cursor = (*cursor)[*length] == ':' ? *cursor + *length + 1 : NULL;
    return true;
}

bool search_path_has(const char *name)
{
    const char *cursor = getenv("PATH"), *folder;
    size_t length;
    while (next_folder(&cursor, &length, &folder)) {
        char path[PATH_MAX];
        int printed = length == 0 ? snprintf(path, sizeof path, "./%s", name)
                                  : snprintf(path, sizeof path, "%.*s/%s", (int)length, folder, name);
        if (printed > 0 && printed < PATH_MAX && access(path, X_OK) == 0)
            return true;
    }
    return false;
}

const char *search_path_python(void)
{
    return !search_path_has("python") && search_path_has("python3") ? "python3" : "python";
}

static bool lists(const char *search_path, const char *wanted)
{
    const char *cursor = search_path, *folder;
    size_t length;
    while (next_folder(&cursor, &length, &folder))
        if (strlen(wanted) == length && memcmp(folder, wanted, length) == 0)
            return true;
    return false;
}

/* This program's. False without /proc. */
static bool own_folder(char out[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", out, PATH_MAX - 1);
    if (length <= 0)
        return false;
    out[length] = '\0';
    char *slash = strrchr(out, '/');
    if (slash == NULL || slash == out)
        return false;
    *slash = '\0';
    return true;
}

/* `folder` as an absolute path when it holds the package. */
static char *package_in(const char *folder, const char *below)
{
    char path[PATH_MAX], package[PATH_MAX];
    struct stat info;
    int printed = snprintf(path, sizeof path, "%s%s", folder, below);
    if (printed < 0 || printed >= (int)sizeof path)
        return NULL;
    printed = snprintf(package, sizeof package, "%.*s/besom", PATH_MAX - 16, path);
    if (printed < 0 || printed >= (int)sizeof package || stat(package, &info) != 0 || !S_ISDIR(info.st_mode))
        return NULL;
    return realpath(path, NULL);
}

char *search_path_package(void)
{
    static const char *const places[] = {"/../share/besom/python", "/../../share/besom/python"};
    char own[PATH_MAX];
    const char *given = getenv("BESOM_PYTHON_DIR");
    char *found = given != NULL && *given != '\0' ? package_in(given, "") : NULL;
    bool known = own_folder(own);
    for (size_t i = 0; known && found == NULL && i < ARRAY_LEN(places); i++)
        found = package_in(own, places[i]);
    return found;
}

enum status search_path_add_own_folder(void)
{
    char own[PATH_MAX];
    if (!own_folder(own))
        return STATUS_OK;
    const char *before = getenv("PATH");
    if (lists(before, own))
        return STATUS_OK;
    size_t size = (before != NULL ? strlen(before) : 0) + strlen(own) + 2;
    char *after = malloc(size);
    if (after == NULL)
        return STATUS_NO_MEMORY;
    snprintf(after, size, "%s%s%s", before != NULL ? before : "", before != NULL ? ":" : "", own);
    int failed = setenv("PATH", after, 1);
    free(after);
    return failed == 0 ? STATUS_OK : STATUS_NO_MEMORY;
}
