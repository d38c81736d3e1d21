// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <string.h>

int utf8_fit(const char *text, size_t most)
{
    size_t length = strnlen(text, most + 1);
    if (length <= most)
        return (int)length;
    /* a byte that goes on with a character cannot be the first one left out */
    for (length = most; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80;)
        length--;
    return (int)length;
}
