// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/page.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/id.h"

#define SIZE_USUAL 100
#define SIZE_MAX_ASKED 1000

enum status page_size(int32_t asked, int *out, struct err *err)
{
    if (asked < 0 || asked > SIZE_MAX_ASKED)
        return err_set(err, STATUS_INVALID, "page_size must be 0 to %d", SIZE_MAX_ASKED);
    *out = asked == 0 ? SIZE_USUAL : asked;
    return STATUS_OK;
}

static enum status refuse(const char *rpc, struct err *err)
{
    return err_set(err, STATUS_INVALID, "page_token is not one of %s", rpc);
}

enum status page_read_mark(const char *token, const char *rpc, struct page_mark *out, struct err *err)
{
    char *end = NULL;
    *out = (struct page_mark){.id = NULL};
    if (token[0] == '\0')
        return STATUS_OK;
    out->us = strtoll(token, &end, 10);
    if (*end != ':' || !id_is_valid(end + 1))
        return refuse(rpc, err);
    out->id = end + 1;
    return STATUS_OK;
}

char *page_write_mark(struct arena *arena, int64_t us, const char *id)
{
    return arena_printf(arena, "%" PRId64 ":%s", us, id);
}

enum status page_read_number(const char *token, const char *rpc, int64_t least, int64_t *out, struct err *err)
{
    char *end = NULL;
    *out = 0;
    if (token[0] == '\0')
        return STATUS_OK;
    *out = strtoll(token, &end, 10);
    return *out >= least && *end == '\0' ? STATUS_OK : refuse(rpc, err);
}
