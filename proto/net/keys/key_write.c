#include "key_write.h"

#include <assert.h>
#include <czmq.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

status key_pair_make(key_pair *out, failure *f) {
    *out = (key_pair){.public_key = ""};
    if (zmq_curve_keypair(out->public_key, out->secret_key) == 0) return STATUS_OK;
    return fail(f, STATUS_UNSUPPORTED, "this ZeroMQ makes no keys: %s", zmq_strerror(errno));
}

static status save(const key_pair *pair, const char *name, const char *path, bool is_secret, failure *f) {
    uint8_t public_key[KEY_BYTES], secret_key[KEY_BYTES] = {0};
    zmq_z85_decode(public_key, pair->public_key);
    if (is_secret) zmq_z85_decode(secret_key, pair->secret_key);
    zcert_t *certificate = zcert_new_from(public_key, secret_key);
    explicit_bzero(secret_key, sizeof secret_key);
    if (!certificate) return fail(f, STATUS_NO_MEMORY, "no memory for a key");
    const char *rights = key_rights_words(pair->rights);
    zcert_set_meta(certificate, KEY_NAME, "%.*s", (int)(strlen(name) - strlen(strstr(name, KEY_SUFFIX))), name);
    if (*rights) zcert_set_meta(certificate, KEY_RIGHTS, "%s", rights);
    mode_t before = umask(077);
    int done = is_secret ? zcert_save_secret(certificate, path) : zcert_save_public(certificate, path);
    int why = errno;
    umask(before);
    zcert_destroy(&certificate);
    return done == 0 ? STATUS_OK : fail(f, STATUS_IO, "%s", strerror(why));
}

/* czmq does not say that the disk was full. */
static status check_saved(const key_pair *pair, const char *path, bool is_secret, failure *f) {
    key_pair again;
    failure why;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool is_safe = fd >= 0 && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0) close(fd);
    if (!is_safe) return fail(f, STATUS_IO, "%s", strerror(error));
    status st = is_secret ? key_pair_read_secret(&again, path, NULL, &why) : key_pair_read_public(&again, path, &why);
    bool is_whole = st == STATUS_OK && strcmp(again.public_key, pair->public_key) == 0 &&
                    key_rights_equal(again.rights, pair->rights);
    return is_whole ? STATUS_OK : fail(f, STATUS_IO, "not all of it could be written: is the disk full?");
}

status key_pair_write(const key_pair *pair, const char *path, bool is_secret, failure *f) {
    char partial[KEY_PATH_BYTES + 32];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    assert(strstr(name, KEY_SUFFIX));
    if (strlen(path) >= KEY_PATH_BYTES) return fail(f, STATUS_TOO_LONG, "the path of a key is too long");
    snprintf(partial, sizeof partial, "%.*s.%s" KEY_PARTIAL_SUFFIX, (int)(name - path), path, name);
    unlink(partial);
    failure why;
    status st = save(pair, name, partial, is_secret, &why);
    if (st == STATUS_OK) st = check_saved(pair, partial, is_secret, &why);
    if (st == STATUS_OK && rename(partial, path) != 0) st = fail(&why, STATUS_IO, "%s", strerror(errno));
    if (st == STATUS_OK) return STATUS_OK;
    unlink(partial);
    return fail(f, st, "cannot write %s: %s", path, why.message);
}
