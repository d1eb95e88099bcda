/* What tokenizerds are told either leaves or costs the tokenizerd its place: never a lost word.
 * Peers and the service's turn are stand-ins here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "modeld/links/service_parts.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static status answer;
static int n_sent, n_cut;

status peers_send(peers *ps, peer *p, ProtobufCMessage *m, const wire_raw *raw, size_t n_raw) {
    (void)ps, (void)p, (void)m, (void)raw, (void)n_raw;
    n_sent++;
    return answer;
}

bool peers_offer(peers *ps, peer *p, ProtobufCMessage *m) {
    (void)ps, (void)p, (void)m;
    return answer == STATUS_OK;
}

void peers_cut(peers *ps, peer *p, const char *why) {
    (void)ps, (void)p;
    assert_true(why[0]);
    n_cut++;
}

const char *peer_name(const peer *p) {
    (void)p;
    return "somebody";
}

void service_wake(service *s) {
    (void)s;
}

static int n_cut_when_sending_gives(status st) {
    static int there;
    front one = {.peer = (peer *)(void *)&there};
    failure f = {.code = STATUS_TOO_LONG, .message = "too long"};
    answer = st;
    n_sent = n_cut = 0;
    reply_refused_text(&one, (const uint8_t *)"0123456789abcdef", 1, END_ERROR, &f);
    assert_int_equal(n_sent, 1);
    return n_cut;
}

static void a_tokenizerd_that_misses_a_word_is_cut(void **state) {
    (void)state;
    assert_int_equal(n_cut_when_sending_gives(STATUS_NO_MEMORY), 1);
    assert_int_equal(n_cut_when_sending_gives(STATUS_TOO_LONG), 1);
}

static void nobody_is_cut_twice_or_for_nothing(void **state) {
    (void)state;
    assert_int_equal(n_cut_when_sending_gives(STATUS_OK), 0);
    assert_int_equal(n_cut_when_sending_gives(STATUS_BUSY), 0); /* that is a cut already */
}

static void to_a_tokenizerd_that_is_not_there_nothing_is_sent(void **state) {
    (void)state;
    front gone = {.peer = NULL};
    n_sent = 0;
    reply_refused_call(&gone, 7, &(failure){.code = STATUS_BUSY, .message = "busy"});
    assert_int_equal(n_sent, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tokenizerd_that_misses_a_word_is_cut),
        cmocka_unit_test(nobody_is_cut_twice_or_for_nothing),
        cmocka_unit_test(to_a_tokenizerd_that_is_not_there_nothing_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
