// SPDX-License-Identifier: GPL-3.0-or-later
#include "stack_probe.h"

#include <besom/client.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"

#define TRY_TIMEOUT_MS 1000
#define PAUSE_MS 20
#define TOKEN_LIMIT 4096

static bool may_come_true(besom_status code)
{
    return code == BESOM_UNAVAILABLE || code == BESOM_DEADLINE || code == BESOM_EXHAUSTED ||
           code == BESOM_INTERNAL;
}

static int probe(const char *address, const char *token)
{
    besom_client_options options = BESOM_CLIENT_OPTIONS_INIT;
    besom_client *client = NULL;
    besom_error error = {.code = BESOM_OK};
    options.address = address;
    options.token = token;
    options.timeout_ms = TRY_TIMEOUT_MS;
    besom_status status = besom_client_new(&options, &client, &error);
    while (status == BESOM_OK) {
        Besom__V1__ListSweepsRequest request = BESOM__V1__LIST_SWEEPS_REQUEST__INIT;
        Besom__V1__ListSweepsResponse *response = NULL;
        request.page_size = 1;
        status = besom_sweep_list(client, &request, &response, &error);
        besom_message_free(response);
        if (status == BESOM_OK)
            return 0;
        if (!may_come_true(status))
            break;
        poll(NULL, 0, PAUSE_MS);
        status = BESOM_OK;
    }
    dprintf(2, "probe of %s: %s\n", address, error.text);
    return 1;
}

enum status stack_probe_start(const char *address, const char *token_file, int output, pid_t *out,
                              struct err *err)
{
    struct buffer token CLEANUP(buffer_free) = BUFFER_INIT;
    TRY(file_read(token_file, TOKEN_LIMIT, &token, err));
    if (token.length > 0)
        token.data[strcspn(token.data, "\n")] = '\0';
    *out = fork();
    if (*out < 0)
        return err_set_errno(err, STATUS_IO, errno, "cannot start the probe");
    if (*out > 0)
        return STATUS_OK;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    if (output >= 0)
        dup2(output, 2);
    _exit(probe(address, buffer_text(&token)));
}

bool stack_probe_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return false;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd CLEANUP(file_close) = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
}
