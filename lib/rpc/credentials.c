// SPDX-License-Identifier: Apache-2.0
#include "rpc/credentials.h"

#include <string.h>
#include <strings.h>

bool credentials_is_unix(const char *address)
{
    return strncmp(address, "unix:", 5) == 0;
}

static bool is_pem(const char *text)
{
    return text == NULL || strstr(text, "-----BEGIN ") != NULL;
}

static enum status check_pair(const char *certificate, const char *key, struct err *err)
{
    if ((certificate == NULL) != (key == NULL))
        return err_set(err, STATUS_INVALID, "certificate and key go together");
    if (!is_pem(certificate) || !is_pem(key))
        return err_set(err, STATUS_INVALID, "certificate and key must be in PEM format");
    return STATUS_OK;
}

static grpc_ssl_server_certificate_config *make_config(const char *authorities, const char *certificate,
                                                       const char *key)
{
    const grpc_ssl_pem_key_cert_pair pair = {.private_key = key, .cert_chain = certificate};
    return grpc_ssl_server_certificate_config_create(authorities, &pair, 1);
}

/* The core (1.51) aborts on a fetched config without authorities. Where callers show no certificates none are
 * asked, so the server's own certificate may stand there. */
static void use_pems(void *context, const struct tls_pems *pems)
{
    grpc_ssl_server_certificate_config **config = context;
    const char *authorities = pems->authorities != NULL ? pems->authorities : pems->certificate;
    *config = make_config(authorities, pems->certificate, pems->key);
}

/* Before each handshake, and once when the address is bound. */
static grpc_ssl_certificate_config_reload_status fetch_config(void *context,
                                                              grpc_ssl_server_certificate_config **config)
{
    struct server_credentials *credentials = context;
    if (tls_files_generation(credentials->files) == credentials->generation)
        return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    *config = NULL;
    credentials->generation = tls_files_get(credentials->files, use_pems, config);
    return *config != NULL ? GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW : GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_FAIL;
}

static grpc_ssl_server_credentials_options *make_options(const struct rpc_tls *tls,
                                                         struct server_credentials *out)
{
    bool demands = tls->files != NULL ? tls_files_has_authorities(tls->files) : tls->client_ca_pem != NULL;
    grpc_ssl_client_certificate_request_type asked =
        demands ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
    if (tls->files != NULL)
        return grpc_ssl_server_credentials_create_options_using_config_fetcher(asked, fetch_config, out);
    return grpc_ssl_server_credentials_create_options_using_config(
        asked, make_config(tls->client_ca_pem, tls->certificate_pem, tls->key_pem));
}

enum status credentials_server(const struct rpc_tls *tls, struct server_credentials *out, struct err *err)
{
    *out = (struct server_credentials){.files = tls->files};
    TRY(check_pair(tls->certificate_pem, tls->key_pem, err));
    if (!is_pem(tls->client_ca_pem))
        return err_set(err, STATUS_INVALID, "the clients' authority must be in PEM format");
    if (tls->client_ca_pem != NULL && tls->certificate_pem == NULL)
        return err_set(err, STATUS_INVALID, "client certificates need a server certificate");
    out->core = tls->certificate_pem == NULL && tls->files == NULL
                    ? grpc_insecure_server_credentials_create()
                    : grpc_ssl_server_credentials_create_with_options(make_options(tls, out));
    return out->core != NULL ? STATUS_OK
                             : err_set(err, STATUS_INVALID, "certificate or key was not accepted");
}

void credentials_server_clear(struct server_credentials *credentials)
{
    if (credentials->core != NULL)
        grpc_server_credentials_release(credentials->core);
}

static grpc_channel_credentials *make_channel(const char *authorities, const char *certificate,
                                              const char *key)
{
    grpc_ssl_pem_key_cert_pair pair = {.private_key = key, .cert_chain = certificate};
    return grpc_ssl_credentials_create(authorities, key != NULL ? &pair : NULL, NULL, NULL);
}

static void use_pems_to_call(void *context, const struct tls_pems *pems)
{
    grpc_channel_credentials **credentials = context;
    *credentials = make_channel(pems->authorities, pems->certificate, pems->key);
}

enum status credentials_channel(const struct rpc_channel_options *options, uint64_t *generation,
                                grpc_channel_credentials **out, struct err *err)
{
    bool tls = options->tls && !credentials_is_unix(options->address);
    TRY(check_pair(options->certificate_pem, options->key_pem, err));
    if (!is_pem(options->ca_pem))
        return err_set(err, STATUS_INVALID, "the server's authority must be in PEM format");
    if (!tls && options->token != NULL && !options->insecure && !credentials_is_unix(options->address))
        return err_set(err, STATUS_DENIED,
                       "a token is not sent over TCP without TLS (use TLS for %s, or --insecure)",
                       options->address);
    if (!tls) {
        *out = grpc_insecure_credentials_create();
        return STATUS_OK;
    }
    if (options->files != NULL)
        *generation = tls_files_get(options->files, use_pems_to_call, out);
    else
        *out = make_channel(options->ca_pem, options->certificate_pem, options->key_pem);
    return *out != NULL ? STATUS_OK : err_set(err, STATUS_INVALID, "certificates were not accepted");
}

bool credentials_token(const grpc_metadata_array *metadata, char out[CREDENTIALS_TOKEN_MAX])
{
    static const char scheme[] = "Bearer ";
    const size_t prefix = sizeof scheme - 1;
    for (size_t i = 0; i < metadata->count; i++) {
        if (grpc_slice_str_cmp(metadata->metadata[i].key, "authorization") != 0)
            continue;
        grpc_slice value = metadata->metadata[i].value;
        size_t length = GRPC_SLICE_LENGTH(value);
        const char *text = (const char *)GRPC_SLICE_START_PTR(value);
        if (length < prefix || strncasecmp(text, scheme, prefix) != 0 ||
            length - prefix >= CREDENTIALS_TOKEN_MAX)
            return false;
        memcpy(out, text + prefix, length - prefix);
        out[length - prefix] = '\0';
        return true;
    }
    return false;
}

bool credentials_peer_name(grpc_call *call, char out[CREDENTIALS_NAME_MAX])
{
    grpc_auth_context *context = grpc_call_auth_context(call);
    if (context == NULL)
        return false;
    bool found = false;
    if (grpc_auth_context_peer_is_authenticated(context)) {
        grpc_auth_property_iterator names =
            grpc_auth_context_find_properties_by_name(context, GRPC_X509_CN_PROPERTY_NAME);
        const grpc_auth_property *name = grpc_auth_property_iterator_next(&names);
        if (name != NULL && name->value_length < CREDENTIALS_NAME_MAX) {
            memcpy(out, name->value, name->value_length);
            out[name->value_length] = '\0';
            found = true;
        }
    }
    grpc_auth_context_release(context);
    return found;
}
