// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/common/roles.h"

#include <string.h>

#include "base/macros.h"

#define ROW(service, rpc, roles_of_it) {"/besom.v1." #service "/" #rpc, (roles_of_it)},
const struct rpc_roles rpc_roles[] = {RPC_ROLES(ROW)};
const size_t rpc_roles_count = ARRAY_LEN(rpc_roles);

static const struct {
    unsigned role;
    const char *name;
} names[] = {
    {ROLE_ADMIN, "admin"},   {ROLE_WRITER, "writer"},   {ROLE_AGENT, "agent"},
    {ROLE_READER, "reader"}, {ROLE_SERVICE, "service"},
};

const char *role_name(unsigned role)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].role == role)
            return names[i].name;
    return "";
}

bool role_from_name(const char *name, unsigned *out)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].role != ROLE_SERVICE && strcmp(names[i].name, name) == 0) {
            *out = names[i].role;
            return true;
        }
    return false;
}
