#include "bounds.h"

#include <string.h>

enum {
    ROUND_BYTES = 8,
    /* protobuf-c notes each field that it finds: the first few on its stack, then in slabs that double. */
    NOTES_ON_STACK = 16,
    NOTE_BYTES = 48,
};

typedef struct cursor {
    const uint8_t *at, *end;
} cursor;

/* A field as it lies on the wire. */
typedef struct wire_field {
    const ProtobufCFieldDescriptor *type;   /* NULL: not known */
    ProtobufCWireType coding;
    const uint8_t *bytes;           /* its value, without the length before it */
    size_t n_bytes;
} wire_field;

/* What was found of a header so far. */
typedef struct measure {
    size_t memory_bytes;
    size_t n_unknown;
} measure;

/* Of one message within it. */
typedef struct tally {
    size_t n_items[BOUNDS_FIELDS_MAX], n_pieces[BOUNDS_FIELDS_MAX];     /* by field */
    size_t n_notes, n_unknown;
} tally;

/* ---- The wire form ---- */

static bool take_varint(cursor *c, uint64_t *value) {
    *value = 0;
    for (unsigned shift = 0; shift < 70 && c->at < c->end; shift += 7) {
        uint8_t byte = *c->at++;
        if (shift < 64) *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return true;
    }
    return false;
}

static bool take_bytes(cursor *c, size_t n_bytes, wire_field *out) {
    if (n_bytes > (size_t)(c->end - c->at)) return false;
    out->bytes = c->at;
    out->n_bytes = n_bytes;
    c->at += n_bytes;
    return true;
}

static bool take_field(cursor *c, const ProtobufCMessageDescriptor *type, wire_field *out) {
    uint64_t tag, value;
    if (!take_varint(c, &tag) || tag > UINT32_MAX || tag >> 3 == 0) return false;
    out->type = protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
    out->coding = (ProtobufCWireType)(tag & 7);
    const uint8_t *start = c->at;
    switch (out->coding) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        if (!take_varint(c, &value)) return false;
        out->bytes = start;
        out->n_bytes = (size_t)(c->at - start);
        return true;
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        return take_bytes(c, 8, out);
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        return take_bytes(c, 4, out);
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        return take_varint(c, &value) && take_bytes(c, value, out);
    default:
        return false;
    }
}

/* ---- Items ---- */

/* Bytes of an item in the array that is unpacked. */
static size_t item_bytes(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_SINT64: case PROTOBUF_C_TYPE_INT64: case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_SFIXED64: case PROTOBUF_C_TYPE_FIXED64: case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_STRING: case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 4;
    }
}

static bool is_number(ProtobufCType type) {
    return type != PROTOBUF_C_TYPE_STRING && type != PROTOBUF_C_TYPE_MESSAGE && type != PROTOBUF_C_TYPE_BYTES;
}

static size_t varints_in(const wire_field *field) {
    size_t n = 0;
    for (size_t i = 0; i < field->n_bytes; i++) n += !(field->bytes[i] & 0x80);
    return n;
}

/* How many items this piece of a field holds. */
static size_t items_in(const wire_field *field) {
    ProtobufCType type = field->type->type;
    bool packed = field->type->label == PROTOBUF_C_LABEL_REPEATED && is_number(type) &&
                  field->coding == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    if (!packed) return 1;
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32: case PROTOBUF_C_TYPE_FIXED32: case PROTOBUF_C_TYPE_FLOAT:
        return field->n_bytes / 4;
    case PROTOBUF_C_TYPE_SFIXED64: case PROTOBUF_C_TYPE_FIXED64: case PROTOBUF_C_TYPE_DOUBLE:
        return field->n_bytes / 8;
    default:
        return varints_in(field);
    }
}

/* ---- Messages ---- */

static void add_memory(measure *m, size_t n_bytes) {
    m->memory_bytes += (n_bytes + ROUND_BYTES - 1) & ~(size_t)(ROUND_BYTES - 1);
}

static bool count_unknown(measure *m, tally *t, const wire_field *field) {
    enum { LENGTH_BYTES_MAX = 10 }; /* is kept with it */
    t->n_unknown++;
    add_memory(m, field->n_bytes + LENGTH_BYTES_MAX);
    return ++m->n_unknown <= BOUNDS_UNKNOWN_MAX;
}

/* What follows a zero byte would not be seen: a name could pass for another one, or for none. */
static bool has_no_end(const wire_field *string) {
    return !memchr(string->bytes, 0, string->n_bytes);
}

static bool count_message(measure *m, const ProtobufCMessageDescriptor *type, cursor c, size_t depth);

static bool count_field(measure *m, tally *t, const ProtobufCMessageDescriptor *message, const wire_field *field,
                        size_t depth) {
    const ProtobufCFieldDescriptor *type = field->type;
    size_t index = (size_t)(type - message->fields);
    size_t *n_items = &t->n_items[index], items_max = 1;
    const field_bound *bound = field_is_sized(type) ? field_bound_of(type) : NULL;
    if (bound) items_max = bound->items_max;
    *n_items += items_in(field);
    if (*n_items > items_max) return false;
    if (is_number(type->type)) return ++t->n_pieces[index] <= BOUNDS_PIECES_MAX;
    if (field->coding != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) return false;
    if (type->type == PROTOBUF_C_TYPE_MESSAGE)
        return count_message(m, type->descriptor, (cursor){field->bytes, field->bytes + field->n_bytes}, depth + 1);
    add_memory(m, field->n_bytes + 1);
    if (!bound || field->n_bytes > bound->bytes_max) return false;
    return type->type != PROTOBUF_C_TYPE_STRING || has_no_end(field);
}

/* The arrays, and what protobuf-c needs to find its way. */
static void count_tables(measure *m, const tally *t, const ProtobufCMessageDescriptor *type) {
    for (size_t i = 0; i < type->n_fields; i++)
        if (type->fields[i].label == PROTOBUF_C_LABEL_REPEATED)
            add_memory(m, t->n_items[i] * item_bytes(type->fields[i].type));
    add_memory(m, t->n_unknown * sizeof(ProtobufCMessageUnknownField));
    size_t n_slab = NOTES_ON_STACK;
    for (size_t n_room = n_slab; n_room < t->n_notes; n_room += n_slab) {
        n_slab *= 2;
        add_memory(m, n_slab * NOTE_BYTES);
    }
}

static bool count_message(measure *m, const ProtobufCMessageDescriptor *type, cursor c, size_t depth) {
    if (depth > BOUNDS_DEPTH_MAX || type->n_fields > BOUNDS_FIELDS_MAX) return false;
    tally t = {0};
    add_memory(m, type->sizeof_message);
    for (wire_field field = {0}; c.at < c.end; t.n_notes++) {
        if (!take_field(&c, type, &field)) return false;
        if (!(field.type ? count_field(m, &t, type, &field, depth) : count_unknown(m, &t, &field))) return false;
    }
    count_tables(m, &t, type);
    return true;
}

status bounds_measure(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t n_bytes,
                      size_t *memory_bytes) {
    measure m = {0};
    bool fine = count_message(&m, type, (cursor){bytes, bytes + n_bytes}, 1);
    *memory_bytes = m.memory_bytes;
    return fine ? STATUS_OK : STATUS_BAD_MESSAGE;
}
