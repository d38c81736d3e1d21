// SPDX-License-Identifier: Apache-2.0
#include "base/id.h"

#include <string.h>

static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyz";

void id_make(const struct random_source *source, char out[ID_SIZE])
{
    for (int i = 0; i < ID_LENGTH; i++)
        out[i] = alphabet[random_below(source, sizeof alphabet - 1)];
    out[ID_LENGTH] = '\0';
}

bool id_is_valid(const char *text)
{
    return strlen(text) == ID_LENGTH && strspn(text, alphabet) == ID_LENGTH;
}
