// SPDX-License-Identifier: GPL-3.0-or-later
#include "services/controller/ids.h"

#include <string.h>

enum status agent_id_check(const char *agent_id, struct err *err)
{
    if (strlen(agent_id) == AGENT_ID_LENGTH &&
        strspn(agent_id, "0123456789abcdefghijklmnopqrstuvwxyz") == AGENT_ID_LENGTH)
        return STATUS_OK;
    return err_set(err, STATUS_INVALID, "\"%.32s\" is no id of an agent (16 lower-case letters and digits)",
                   agent_id);
}
