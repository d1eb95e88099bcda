/* Two peers over tcp with keys: who is let in, and what they are known as and may do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logits.pb-c.h"
#include "tests/support/keys/keyed_sides.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

static failure f;

static void nobody_gets_in(void) {
    assert_true(becomes(down_is_refused));
    assert_int_equal(up.n_joined, 0);
    assert_int_equal(peers_garbage(up.ps), 0);
}

/* ---- who is let in ---- */

static void a_peer_is_known_by_its_key(void **state) {
    (void)state;
    char owner[64];
    authorise("");
    join_both();
    snprintf(owner, sizeof owner, "key:%s", joiner.public_key);
    assert_string_equal(peer_owner(up.last), owner);
    assert_string_equal(peer_owner(down.last), "");
    assert_false(peer_is_operator(up.last));
    assert_false(peer_names_owners(up.last));
}

/* A frame of the largest size, or, where outboxes are tiny, what one of them holds. */
enum { LARGEST_BYTES = RAW_BYTES_MAX < OUTBOX_BYTES_MAX ? RAW_BYTES_MAX : OUTBOX_BYTES_MAX / 2 };

static void messages_of_any_size_pass(void **state) {
    (void)state;
    authorise("");
    up.options.sends_whole = down.options.sends_whole = true;
    up.options.heartbeat_ms = down.options.heartbeat_ms = HEARTBEAT_MS_MAX;     /* it may take some time */
    join_both();
    Trivium__LogitsRequest m = TRIVIUM__LOGITS_REQUEST__INIT;
    Trivium__SampleRequest sample = TRIVIUM__SAMPLE_REQUEST__INIT;
    sample.ticket = 1;
    m.body_case = TRIVIUM__LOGITS_REQUEST__BODY_SAMPLE;
    m.sample = &sample;
    void *row = calloc(1, LARGEST_BYTES);
    assert_non_null(row);
    assert_int_equal(peers_send(up.ps, up.last, &m.base, &(wire_raw){row, LARGEST_BYTES}, 1), STATUS_OK);
    free(row);
    assert_true(becomes(down_got_message));
}

static void an_unknown_key_is_refused(void **state) {
    (void)state;
    open_both();
    nobody_gets_in();
}

static void a_key_of_another_link_is_refused(void **state) {
    (void)state;
    key_folder_authorise(&here, LINK_TOKENS, "joiner", &joiner, "operator");
    open_both();
    nobody_gets_in();
}

static void whoever_has_no_key_is_refused(void **state) {
    (void)state;
    authorise("");
    down.where.keys = NULL;
    down.where.insecure = true;
    open_both();
    nobody_gets_in();
}

static void a_wrong_server_is_not_joined(void **state) {
    (void)state;
    key_pair other = key_pair_new();
    authorise("");
    key_folder_put_known(&there, ROLE_MODELD, false, &other);
    open_both();
    nobody_gets_in();
}

static void of_two_server_keys_either_will_do(void **state) {
    (void)state;
    key_pair other = key_pair_new();
    authorise("");
    key_folder_put_known(&there, ROLE_MODELD, false, &other);
    key_folder_put_known(&there, ROLE_MODELD, true, &server);
    join_both();
}

static void one_handler_a_process(void **state) {
    (void)state;
    authorise("");
    open_bound();
    side again = side_of("again", LIVENESS_BOTH);
    again.where = up.where;
    again.options.hello = &again.hello;
    again.options.incarnation = peers_incarnation();
    assert_int_equal(peers_bind(&again.ps, test_loop, &again.where, &again.options, &f), STATUS_BUSY);
    key_folder_put_server(&there, ROLE_MODELD, &server);
    again.where.keys = joining_keys;
    assert_int_equal(peers_bind(&again.ps, test_loop, &again.where, &again.options, &f), STATUS_BUSY);
    peers_free(&up.ps);
    assert_int_equal(peers_bind(&again.ps, test_loop, &again.where, &again.options, &f), STATUS_OK);
    peers_free(&again.ps);
}

/* ---- one owner who fills the table ---- */

static void all_work(void *context) {
    side *s = context;
    for (peer *p = peers_first(s->ps); p; p = peers_next(s->ps, p)) peer_works(p);
}

/* With the tables of `make tiny`. Those of one key leave no place, and all have something under way. */
static void an_owner_of_all_places_gives_way_to_another(void **state) {
    (void)state;
    if (PEERS_MAX > 64) skip();
    side many[PEERS_MAX];
    authorise("");
    up.options.events.find_work = all_work;
    open_bound();
    const side newcomer = down;
    for (size_t i = 0; i < PEERS_MAX; i++) {
        many[i] = newcomer;
        up.last = NULL;
        side_open(&many[i], false);
        assert_true(becomes(up_joined));
    }
    side_open(&down, false);                /* of that key, too */
    assert_true(becomes(down_refused));
    assert_int_equal(down.refused_code, TRIVIUM__CODE__BUSY);
    assert_int_equal(up.n_left, 0);
    peers_free(&down.ps);
    const key_pair other = key_pair_new();
    key_folder_put_own(&there, ROLE_SAMPLERD, &other);
    key_folder_authorise(&here, LINK_LOGITS, "other", &other, "");
    down = newcomer;
    side_open(&down, false);
    assert_true(becomes(down_joined));
    assert_int_equal(up.n_left, 1);
    assert_non_null(strstr(up.why, "its owner had more than three quarters"));
    run_ms(4 * BEAT_MS);
    assert_int_equal(down.n_left, 0);       /* though the one that left would come back */
    for (size_t i = 0; i < PEERS_MAX; i++) peers_free(&many[i].ps);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KEYS_TEST(a_peer_is_known_by_its_key),
        KEYS_TEST(messages_of_any_size_pass),
        KEYS_TEST(an_unknown_key_is_refused),
        KEYS_TEST(a_key_of_another_link_is_refused),
        KEYS_TEST(whoever_has_no_key_is_refused),
        KEYS_TEST(a_wrong_server_is_not_joined),
        KEYS_TEST(of_two_server_keys_either_will_do),
        KEYS_TEST(one_handler_a_process),
        KEYS_TEST(an_owner_of_all_places_gives_way_to_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
