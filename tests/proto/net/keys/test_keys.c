/* Two peers over tcp with keys: who is let in, what they are known as and may do, and what changes while they are there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "logits.pb-c.h"
#include "tests/support/link/key_folder.h"
#include "tests/support/link/sides.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

static key_folder here, there;          /* of the bound side, of the joining one */
static key_pair server, joiner;
static keys *bound_keys, *joining_keys;
static char address[ENDPOINT_BYTES_MAX];
static failure f;

/* ---- a server, and a joiner that knows it and is known to it ---- */

static int begin(void **state) {
    if (sides_begin(state) != 0) return -1;
    key_folder_make(&here);
    key_folder_make(&there);
    server = key_pair_new();
    joiner = key_pair_new();
    key_folder_put_server(&here, ROLE_MODELD, &server);
    key_folder_put_known(&there, ROLE_MODELD, false, &server);
    key_folder_put_own(&there, ROLE_SAMPLERD, &joiner);
    assert_int_equal(keys_open(&bound_keys, here.path, test_loop, &f), STATUS_OK);
    assert_int_equal(keys_open(&joining_keys, there.path, test_loop, &f), STATUS_OK);
    sides_prepare(LIVENESS_BOTH);
    up.where.address = "tcp://127.0.0.1:*";
    up.where.link = down.where.link = LINK_LOGITS;
    up.where.keys = bound_keys;
    down.where.keys = joining_keys;
    return 0;
}

static int end(void **state) {
    peers_free(&down.ps);
    peers_free(&up.ps);
    keys_close(&joining_keys);
    keys_close(&bound_keys);
    key_folder_remove(&here);
    key_folder_remove(&there);
    return sides_end(state);
}
#define KEYS_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void authorise(const char *rights) {
    key_folder_authorise(&here, LINK_LOGITS, "joiner", &joiner, rights);
}

static void open_bound(void) {
    side_open(&up, true);
    snprintf(address, sizeof address, "%s", peers_address(up.ps));
    down.where.address = address;
}

static void open_both(void) {
    open_bound();
    side_open(&down, false);
}

static void join_both(void) {
    open_both();
    assert_true(becomes(both_joined));
}

static bool down_is_refused(void) {
    return peers_reached(down.ps) == REACH_NO_HANDSHAKE;
}

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

/* ---- what changes while somebody is there ---- */

static bool up_is_operator(void) { return up.last && peer_is_operator(up.last); }
static bool up_names_owners(void) { return up.last && peer_names_owners(up.last) && !peer_is_operator(up.last); }

static bool up_left_once(void) { return up.n_left == 1; }

static void rights_hold_as_they_are_written(void **state) {
    (void)state;
    authorise("operator");
    join_both();
    assert_true(peer_is_operator(up.last));
    authorise("gateway");
    assert_true(becomes(up_left_once));     /* what it had begun by the right that is gone is over */
    assert_true(becomes(up_names_owners));
    authorise("gateway operator");
    assert_true(becomes(up_is_operator));
    assert_int_equal(up.n_left, 1);
}

static void rights_of_several_files_add_up(void **state) {
    (void)state;
    authorise("operator");
    key_folder_authorise(&here, LINK_LOGITS, "again", &joiner, "gateway");
    join_both();
    assert_true(peer_is_operator(up.last) && peer_names_owners(up.last));
    key_folder_revoke(&here, LINK_LOGITS, "joiner");
    assert_true(becomes(up_left_once));
    assert_true(becomes(up_names_owners));
}

static void a_revoked_key_is_cut(void **state) {
    (void)state;
    authorise("");
    join_both();
    key_folder_revoke(&here, LINK_LOGITS, "joiner");
    assert_true(becomes(up_left));
    assert_string_equal(up.why, "its key is authorised no longer");
    assert_true(becomes(down_left));
    assert_true(becomes(down_is_refused));
    authorise("");
    assert_true(becomes(both_joined));
}

/* ---- a Hello that comes late ---- */

static endpoint *quiet;             /* connected, and it has said nothing yet */
static wire_message answer;

static bool quiet_is_connected(void) {
    int events = 0;
    size_t n_bytes = sizeof events;
    zmq_getsockopt(endpoint_socket(quiet), ZMQ_EVENTS, &events, &n_bytes);
    return events & ZMQ_POLLOUT;
}

static bool key_is_gone(void) {
    key_rights unused;
    return !keys_find(bound_keys, LINK_LOGITS, joiner.public_key, &unused);
}

static bool quiet_is_answered(void) {
    return wire_receive(endpoint_socket(quiet), &trivium__logits_request__descriptor, &answer) == STATUS_OK;
}

static void whoever_was_let_in_before_is_refused_at_his_hello(void **state) {
    (void)state;
    authorise("");
    open_bound();
    assert_int_equal(endpoint_join(&quiet, &down.where, &f), STATUS_OK);
    assert_true(becomes(quiet_is_connected));
    key_folder_revoke(&here, LINK_LOGITS, "joiner");
    assert_true(becomes(key_is_gone));
    Trivium__Hello hello = hello_beating(BEAT_MS);
    Trivium__Control control = TRIVIUM__CONTROL__INIT;
    control.from = 1;
    control.word_case = TRIVIUM__CONTROL__WORD_HELLO;
    control.hello = &hello;
    Trivium__Envelope envelope = TRIVIUM__ENVELOPE__INIT;
    envelope.control = &control;
    assert_int_equal(wire_send(endpoint_socket(quiet), NULL, &envelope.base, NULL, 0), STATUS_OK);
    assert_true(becomes(quiet_is_answered));
    const Trivium__Control *said = ((const Trivium__LogitsRequest *)answer.header)->control;
    assert_int_equal(said->word_case, TRIVIUM__CONTROL__WORD_REFUSED);
    assert_int_equal(said->refused->code, TRIVIUM__CODE__FORBIDDEN);
    assert_string_equal(said->refused->message, "your key is not authorised for the logits link");
    assert_int_equal(up.n_joined, 0);
    wire_release(&answer);
    endpoint_close(&quiet);
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

/* ---- a new server key ---- */

static bool joined_twice(void) {
    return up.n_joined == 2 && down.n_joined == 2 && both_joined();
}

static void a_new_server_key_holds_at_once(void **state) {
    (void)state;
    authorise("");
    join_both();
    key_pair new = key_pair_new();
    key_folder_put_known(&there, ROLE_MODELD, true, &new);
    key_folder_put_server(&here, ROLE_MODELD, &new);
    assert_true(becomes(up_left));
    assert_true(becomes(joined_twice));
    assert_string_equal(peers_address(up.ps), address);
    key_pair newer = key_pair_new();
    key_folder_put_known(&there, ROLE_MODELD, false, &newer);
    key_folder_put_server(&here, ROLE_MODELD, &newer);
    up.n_joined = down.n_joined = 1;
    assert_true(becomes(joined_twice));
}

static bool down_is_lost(void) { return up.n_left > 0 && down.n_left > 0; }

/* What was last read of it counts until it is mended. */
static void a_joiner_whose_folder_is_spoilt_goes_on(void **state) {
    (void)state;
    authorise("");
    join_both();
    key_folder_write(&there, "own/samplerd.key_secret", "nothing", 0600);
    peers_cut(up.ps, up.last, "for a test");
    assert_true(becomes(down_is_lost));
    assert_true(becomes(both_joined));
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
        KEYS_TEST(rights_hold_as_they_are_written),
        KEYS_TEST(rights_of_several_files_add_up),
        KEYS_TEST(a_revoked_key_is_cut),
        KEYS_TEST(whoever_was_let_in_before_is_refused_at_his_hello),
        KEYS_TEST(an_owner_of_all_places_gives_way_to_another),
        KEYS_TEST(a_new_server_key_holds_at_once),
        KEYS_TEST(a_joiner_whose_folder_is_spoilt_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
