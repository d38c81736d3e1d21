/* SPDX-License-Identifier: Apache-2.0 */
/* Not run: must compile as C11 and as C++ without the project's own flags. */
#include <besom/client.h>
#include <besom/command.h>

besom_status client_headers_open(besom_client **client, besom_error *error);

besom_status client_headers_open(besom_client **client, besom_error *error)
{
    besom_client_options options = BESOM_CLIENT_OPTIONS_INIT;
    options.address = "unix:/run/besom/controller.sock";
    return besom_client_new(&options, client, error);
}
