/* libFuzzer: any bytes as a line of --input, with all that a text's line may hold, or as the file of a chat. A chat that is
 * read is written and read again as the same. (The first byte of the input chooses, the rest is the line or file.) */
#include <stdlib.h>
#include <string.h>

#include "client/chat/transcript_file.h"
#include "client/cli/generate/line_keys.h"
#include "client/cli/generate/line_prompt.h"
#include "client/cli/json.h"
#include "tests/fuzz/input/target.h"
#include "tests/support/scratch.h"

static void must(bool holds) {
    if (!holds) abort();
}

static void must_say_why(status st, const failure *f) {
    must(st == STATUS_OK || f->message[0] != '\0');
}

static status read_text_line(const json_t *line, generate_flags *flags, strategy *chain, failure *f) {
    status st = line_keys_take(flags, line, f);
    if (st == STATUS_OK) st = generate_flags_chain(flags, chain, f);
    if (st != STATUS_OK) return st;
    line_prompt p;
    line_prompt_init(&p);
    generation_request request = generate_flags_request(flags, chain);
    st = line_prompt_read(&p, line, flags, f);
    if (st == STATUS_OK) line_prompt_put(&p, flags, &request);
    line_prompt_clear(&p);
    return st;
}

static void check_line(const char *text, size_t n_bytes) {
    failure f = {0};
    json_t *line = json_read_object(text, n_bytes, &f);
    if (!line) {
        must(f.message[0] != '\0');
        return;
    }
    generate_flags flags;
    strategy chain;
    generate_flags_init(&flags);
    strategy_init(&chain);
    must_say_why(read_text_line(line, &flags, &chain, &f), &f);
    strategy_clear(&chain);
    generate_flags_clear(&flags);
    free(json_line(line));
}

static void must_be_equal(const conversation_message *a, const conversation_message *b) {
    must(strcmp(a->role, b->role) == 0 && a->n_bytes == b->n_bytes);
    must(a->n_bytes == 0 || memcmp(a->content, b->content, a->n_bytes) == 0);
}

static void check_chat(const uint8_t *bytes, size_t n_bytes) {
    failure f = {0};
    scratch_write(bytes, n_bytes);
    transcript *c = transcript_load(scratch_path(), &f);
    if (!c) {
        must(f.message[0] != '\0');
        return;
    }
    must(transcript_save(c, scratch_path(), &f) == STATUS_OK);
    transcript *again = transcript_load(scratch_path(), &f);
    must(again && transcript_count(again) == transcript_count(c));
    const conversation_message *one;
    for (size_t i = 0; (one = transcript_message(c, i)) != NULL; i++) must_be_equal(one, transcript_message(again, i));
    transcript_forget_excess(c);
    size_t n_seen;
    must(transcript_seen(c, &n_seen) != NULL);
    transcript_free(&again);
    transcript_free(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    char *text = malloc(size);      /* a line that ends where the memory does */
    must(text != NULL);
    memcpy(text, data + 1, size - 1);
    if (data[0] & 1) check_chat(data + 1, size - 1);
    else check_line(text, size - 1);
    free(text);
    return 0;
}
