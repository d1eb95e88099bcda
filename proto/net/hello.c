#include "hello.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/base/limits.h"
#include "proto/base/text.h"

enum { HELLO_BYTES_MAX = 4096 };            /* bounds fields that this build does not know, too */

static status check_name(const char *field, const char *name, failure *f) {
    if (text_is_printable(name, NAME_BYTES_MAX)) return STATUS_OK;
    return fail(f, STATUS_BAD_REQUEST,
                "the %s in a Hello is not printable UTF-8 of at most %d bytes", field,
                NAME_BYTES_MAX);
}

/* Whoever names no oldest version speaks one. */
static uint32_t oldest(const Trivium__Hello *hello) {
    return hello->version_oldest != 0 ? hello->version_oldest : hello->version;
}

uint32_t hello_version(const Trivium__Hello *hello) {
    uint32_t newest = hello->version < PROTOCOL_VERSION_MAX ? hello->version : PROTOCOL_VERSION_MAX;
    return newest >= PROTOCOL_VERSION_MIN && newest >= oldest(hello) ? newest : 0;
}

enum { RANGE_BYTES = 32 };

static const char *range(char out[RANGE_BYTES], uint32_t first, uint32_t last) {
    if (first == last) snprintf(out, RANGE_BYTES, "%u", last);
    else snprintf(out, RANGE_BYTES, "%u to %u", first, last);
    return out;
}

static status check_version(const Trivium__Hello *hello, failure *f) {
    char theirs[RANGE_BYTES], ours[RANGE_BYTES];
    if (hello_version(hello) != 0) return STATUS_OK;
    if (oldest(hello) > hello->version)
        return fail(f, STATUS_BAD_VERSION, "the oldest protocol version of a Hello, %u, is newer than its newest, %u",
                    oldest(hello), hello->version);
    bool several = oldest(hello) != hello->version;
    return fail(f, STATUS_BAD_VERSION, "protocol version%s %s %s not spoken here, only %s; one of the two is to be upgraded",
                several ? "s" : "", range(theirs, oldest(hello), hello->version), several ? "are" : "is",
                range(ours, PROTOCOL_VERSION_MIN, PROTOCOL_VERSION_MAX));
}

status hello_check(const Trivium__Hello *hello, failure *f) {
    status version = check_version(hello, f);
    if (version != STATUS_OK) return version;
    if (trivium__hello__get_packed_size(hello) > HELLO_BYTES_MAX)
        return fail(f, STATUS_TOO_LONG, "a Hello is longer than %d bytes", HELLO_BYTES_MAX);

    const Trivium__ModelOffer *model = hello->model;
    const Trivium__SamplerOffer *sampler = hello->sampler;
    const char *const names[][2] = {
        {"name", hello->name},
        {"host", hello->host},
        {"fingerprint", model ? model->fingerprint : ""},
        {"vocabulary", model ? model->vocabulary : ""},
        {"pool", sampler ? sampler->pool : ""},
        {"semantics", sampler ? sampler->semantics : ""},
        {"default model", hello->default_model ? hello->default_model->name : ""},
    };
    status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < sizeof names / sizeof *names; i++)
        st = check_name(names[i][0], names[i][1], f);
    return st;
}

/* A host may have any bytes for a name. */
void hello_host(char host[HOST_BYTES]) {
    char said[HOST_BYTES] = "";
    if (gethostname(said, sizeof said - 1) != 0) said[0] = '\0';
    text_sentence(said, host, HOST_BYTES);
}

void hello_fill(Trivium__Hello *hello, char host[HOST_BYTES]) {
    hello_host(host);
    hello->version = PROTOCOL_VERSION_MAX;
    hello->version_oldest = PROTOCOL_VERSION_MIN;
    hello->pid = (int32_t)getpid();
    hello->host = host;
}

status hello_take_pool(void *out, const char *flag, const char *value, failure *f) {
    if (check_name(flag, value, f) != STATUS_OK)
        return fail(f, STATUS_BAD_REQUEST,
                    "--%s must be UTF-8 of at most %d bytes without control characters", flag,
                    NAME_BYTES_MAX);
    *(const char **)out = value;
    return STATUS_OK;
}

status hello_take_name(void *out, const char *flag, const char *value, failure *f) {
    if (!value[0]) return fail(f, STATUS_BAD_REQUEST, "--%s must not be empty", flag);
    return hello_take_pool(out, flag, value, f);
}

bool hello_in(const ProtobufCMessage *m) {
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(m->descriptor, 1);
    if (!field || field->descriptor != &trivium__control__descriptor) return false;
    const Trivium__Control *control = *(Trivium__Control *const *)((const char *)m + field->offset);
    return control && control->word_case == TRIVIUM__CONTROL__WORD_HELLO;
}

Trivium__Hello *hello_copy(const Trivium__Hello *hello) {
    size_t n_bytes = trivium__hello__get_packed_size(hello);
    uint8_t *packed = malloc(n_bytes > 0 ? n_bytes : 1);
    if (!packed) return NULL;
    trivium__hello__pack(hello, packed);
    Trivium__Hello *copy = trivium__hello__unpack(NULL, n_bytes, packed);
    free(packed);
    return copy;
}

uint32_t hello_heartbeat_ms(const Trivium__Hello *hello) {
    uint32_t ms = hello->heartbeat_ms;
    if (ms == 0) return HEARTBEAT_MS;
    if (ms < HEARTBEAT_MS_MIN) return HEARTBEAT_MS_MIN;
    return ms < HEARTBEAT_MS_MAX ? ms : HEARTBEAT_MS_MAX;
}
