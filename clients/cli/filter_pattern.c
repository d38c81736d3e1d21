// SPDX-License-Identifier: GPL-3.0-or-later
#include "filter_pattern.h"

#include <string.h>

#include "base/pattern.h"

#define TEXT_MOST 1000

enum status filter_pattern_compile(const char *text, regex_t *out, struct err *err)
{
    const struct pattern_cost cost = pattern_reckon(text);
    char why[128];
    if (cost.too_large || strlen(text) > TEXT_MOST)
        return err_set(err, STATUS_INVALID, "this pattern is too large");
    if (cost.refers)
        return err_set(err, STATUS_INVALID,
                       "this pattern is no extended regular expression: it refers back to a group");
    int code = regcomp(out, text, REG_EXTENDED | REG_NOSUB);
    if (code == 0)
        return STATUS_OK;
    regerror(code, out, why, sizeof why);
    return err_set(err, STATUS_INVALID, "'%.60s' is no regular expression: %s", text, why);
}
