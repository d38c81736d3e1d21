// SPDX-License-Identifier: Apache-2.0
#include "rpc/tls_files.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/log.h"

#define LOG_NAME "rpc"
#define LOOK_MS 1000
#define SIZE_MAX_PEM ((size_t)1 << 20)

enum { CERTIFICATE, KEY, AUTHORITIES, FILE_COUNT };

/* Which content a path had: another file, or the same one written since, differs. */
struct stamp {
    dev_t device;
    ino_t inode;
    struct timespec changed;
    off_t size;
};

struct content {
    struct buffer pem[FILE_COUNT];
    struct stamp stamps[FILE_COUNT];
    int64_t end_s;
};

struct tls_files {
    char *paths[FILE_COUNT]; /* owned; NULL = none */
    const struct clock *clock;
    pthread_mutex_t lock; /* guards what follows */
    struct content content;
    struct stamp refused[FILE_COUNT]; /* of what was not taken, and told */
    bool told;
    uint64_t generation;
    int64_t looked_ms;
};

static void free_content(struct content *content)
{
    for (size_t i = 0; i < FILE_COUNT; i++)
        buffer_free(&content->pem[i]);
}

/* False where one is no regular file: what a pipe has given it does not give again. */
static bool read_stamps(const struct tls_files *files, struct stamp stamps[FILE_COUNT])
{
    bool regular = true;
    memset(stamps, 0, sizeof *stamps * FILE_COUNT);
    for (size_t i = 0; i < FILE_COUNT; i++) {
        struct stat info;
        if (files->paths[i] == NULL || stat(files->paths[i], &info) != 0)
            continue;
        stamps[i].device = info.st_dev;
        stamps[i].inode = info.st_ino;
        stamps[i].changed = info.st_ctim;
        stamps[i].size = info.st_size;
        regular = regular && S_ISREG(info.st_mode);
    }
    return regular;
}

static bool stamps_equal(const struct stamp *a, const struct stamp *b)
{
    for (size_t i = 0; i < FILE_COUNT; i++)
        if (a[i].device != b[i].device || a[i].inode != b[i].inode || a[i].size != b[i].size ||
            a[i].changed.tv_sec != b[i].changed.tv_sec || a[i].changed.tv_nsec != b[i].changed.tv_nsec)
            return false;
    return true;
}

/* ---- what PEM says ---- */

static void free_bio(BIO **bio)
{
    BIO_free(*bio);
}

/* A key that asks for a password gets none. */
static int no_password(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

static X509 *parse_certificate(const struct buffer *pem)
{
    BIO *bio CLEANUP(free_bio) = BIO_new_mem_buf(buffer_text(pem), (int)pem->length);
    return bio != NULL ? PEM_read_bio_X509_AUX(bio, NULL, no_password, NULL) : NULL;
}

static EVP_PKEY *parse_key(const struct buffer *pem)
{
    BIO *bio CLEANUP(free_bio) = BIO_new_mem_buf(buffer_text(pem), (int)pem->length);
    return bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
}

static int64_t end_of(const X509 *certificate)
{
    struct tm end = {.tm_year = 0};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1)
        return 0;
    return (int64_t)timegm(&end);
}

static enum status check_pair(const struct tls_files *files, struct content *content, struct err *err)
{
    if (files->paths[CERTIFICATE] == NULL)
        return STATUS_OK;
    X509 *certificate = parse_certificate(&content->pem[CERTIFICATE]);
    EVP_PKEY *key = parse_key(&content->pem[KEY]);
    enum status status = STATUS_OK;
    if (certificate == NULL)
        status =
            err_set(err, STATUS_INVALID, "%s holds no certificate in PEM format", files->paths[CERTIFICATE]);
    else if (key == NULL)
        status = err_set(err, STATUS_INVALID, "%s holds no private key in PEM format, or one with a password",
                         files->paths[KEY]);
    else if (X509_check_private_key(certificate, key) != 1)
        status = err_set(err, STATUS_INVALID, "%s is not the key of the certificate in %s", files->paths[KEY],
                         files->paths[CERTIFICATE]);
    else
        content->end_s = end_of(certificate);
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return status;
}

static enum status check_authorities(const struct tls_files *files, const struct content *content,
                                     struct err *err)
{
    if (files->paths[AUTHORITIES] == NULL)
        return STATUS_OK;
    X509 *first = parse_certificate(&content->pem[AUTHORITIES]);
    ERR_clear_error();
    if (first == NULL)
        return err_set(err, STATUS_INVALID, "%s holds no certificate in PEM format",
                       files->paths[AUTHORITIES]);
    X509_free(first);
    return STATUS_OK;
}

/* ---- files ---- */

/* Stamps first: what is written while it is read is read again. */
static enum status read_content(const struct tls_files *files, struct content *out, struct err *err)
{
    *out = (struct content){.end_s = 0};
    (void)read_stamps(files, out->stamps);
    for (size_t i = 0; i < FILE_COUNT; i++) {
        if (files->paths[i] == NULL)
            continue;
        TRY(i == KEY ? file_read_secret(files->paths[i], SIZE_MAX_PEM, &out->pem[i], err)
                     : file_read(files->paths[i], SIZE_MAX_PEM, &out->pem[i], err));
    }
    TRY(check_pair(files, out, err));
    return check_authorities(files, out, err);
}

static void take_content(struct tls_files *files, const struct content *content)
{
    free_content(&files->content);
    files->content = *content;
    files->generation++;
    files->told = false;
}

static const char *shown_path(const struct tls_files *files)
{
    return files->paths[CERTIFICATE] != NULL ? files->paths[CERTIFICATE] : files->paths[AUTHORITIES];
}

static void read_again(struct tls_files *files)
{
    struct content content;
    struct err err = ERR_INIT;
    if (read_content(files, &content, &err) == STATUS_OK) {
        take_content(files, &content);
        log_info(LOG_NAME, "certificate_renewed", LOG_TEXT("file", shown_path(files)),
                 LOG_INT("end_s", content.end_s));
        return;
    }
    if (!files->told || !stamps_equal(content.stamps, files->refused))
        log_warn(LOG_NAME, "certificate_not_taken", LOG_TEXT("file", shown_path(files)), LOG_ERR(&err));
    files->told = true;
    memcpy(files->refused, content.stamps, sizeof files->refused);
    free_content(&content);
}

static void look(struct tls_files *files)
{
    int64_t now_ms = clock_monotonic_ms(files->clock);
    struct stamp stamps[FILE_COUNT];
    if (now_ms - files->looked_ms < LOOK_MS)
        return;
    files->looked_ms = now_ms;
    if (read_stamps(files, stamps) && !stamps_equal(stamps, files->content.stamps))
        read_again(files);
}

static enum status copy_paths(struct tls_files *files, const struct tls_paths *paths, struct err *err)
{
    const char *const given[] = {paths->certificate, paths->key, paths->authorities};
    if ((paths->certificate == NULL) != (paths->key == NULL))
        return err_set(err, STATUS_INVALID, "a certificate and its key go together");
    for (size_t i = 0; i < FILE_COUNT; i++)
        if (given[i] != NULL && (files->paths[i] = strdup(given[i])) == NULL)
            return err_set(err, STATUS_NO_MEMORY, "out of memory");
    return STATUS_OK;
}

static enum status open_files(struct tls_files *files, const struct tls_paths *paths, struct err *err)
{
    struct content content;
    TRY(copy_paths(files, paths, err));
    enum status status = read_content(files, &content, err);
    if (status == STATUS_OK)
        take_content(files, &content);
    else
        free_content(&content);
    return status;
}

enum status tls_files_open(const struct tls_paths *paths, const struct clock *clock, struct tls_files **out,
                           struct err *err)
{
    *out = NULL;
    struct tls_files *files = calloc(1, sizeof *files);
    if (files == NULL)
        return err_set(err, STATUS_NO_MEMORY, "out of memory");
    pthread_mutex_init(&files->lock, NULL);
    files->clock = clock;
    files->looked_ms = clock_monotonic_ms(clock);
    enum status status = open_files(files, paths, err);
    if (status != STATUS_OK) {
        tls_files_free(files);
        return status;
    }
    *out = files;
    return STATUS_OK;
}

void tls_files_free(struct tls_files *files)
{
    if (files == NULL)
        return;
    free_content(&files->content);
    for (size_t i = 0; i < FILE_COUNT; i++)
        free(files->paths[i]);
    pthread_mutex_destroy(&files->lock);
    free(files);
}

bool tls_files_has_authorities(const struct tls_files *files)
{
    return files->paths[AUTHORITIES] != NULL;
}

uint64_t tls_files_generation(struct tls_files *files)
{
    pthread_mutex_lock(&files->lock);
    look(files);
    uint64_t generation = files->generation;
    pthread_mutex_unlock(&files->lock);
    return generation;
}

static const char *text_of(const struct tls_files *files, int which)
{
    return files->paths[which] != NULL ? buffer_text(&files->content.pem[which]) : NULL;
}

uint64_t tls_files_get(struct tls_files *files, tls_files_use *use, void *context)
{
    pthread_mutex_lock(&files->lock);
    const struct tls_pems pems = {.certificate = text_of(files, CERTIFICATE),
                                  .key = text_of(files, KEY),
                                  .authorities = text_of(files, AUTHORITIES)};
    use(context, &pems);
    uint64_t generation = files->generation;
    pthread_mutex_unlock(&files->lock);
    return generation;
}

int64_t tls_files_end_s(struct tls_files *files)
{
    pthread_mutex_lock(&files->lock);
    look(files);
    int64_t end_s = files->content.end_s;
    pthread_mutex_unlock(&files->lock);
    return end_s;
}
