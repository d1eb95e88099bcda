/* Two peers over tcp with keys: what changes while somebody is there. */
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zmq.h>

#include "logits.pb-c.h"
#include "tests/support/keys/keyed_sides.h"
#include "tests/support/log_catch.h"

#include <cmocka.h>             /* after ours: it has a macro named fail */

enum { LOOK_MS = 1000 };            /* how often folders of keys are looked into */

static failure f;

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
    assert_string_equal(peers_address(up.ps), bound_address);
    key_pair newer = key_pair_new();
    key_folder_put_known(&there, ROLE_MODELD, false, &newer);
    key_folder_put_server(&here, ROLE_MODELD, &newer);
    up.n_joined = down.n_joined = 1;
    assert_true(becomes(joined_twice));
}

/* ---- a new server key that cannot be put in use at once ---- */

static const char *failing = "";    /* this function of ZeroMQ's does, */
static size_t n_failed;             /* and did so many times */

/* As where the port is another's. Sockets within the process are none of it. */
static bool fails(const char *name, const char *address) {
    if (strcmp(failing, name) != 0 || strncmp(address, "tcp:", 4) != 0) return false;
    n_failed++;
    errno = EADDRINUSE;
    return true;
}

int zmq_bind(void *socket, const char *address) {
    int (*next)(void *, const char *);
    *(void **)&next = dlsym(RTLD_NEXT, "zmq_bind");
    return fails("zmq_bind", address) ? -1 : next(socket, address);
}

int zmq_unbind(void *socket, const char *address) {
    int (*next)(void *, const char *);
    *(void **)&next = dlsym(RTLD_NEXT, "zmq_unbind");
    return fails("zmq_unbind", address) ? -1 : next(socket, address);
}

static bool has_failed_twice(void) { return n_failed >= 2; }

/* Both have joined, and are to meet with another server key, which cannot be put in use as long as that function fails. */
static void change_server_key_in_vain(const char *failing_one) {
    authorise("");
    join_both();
    key_pair new = key_pair_new();
    log_catch("test", LOG_INFO);
    failing = failing_one;
    n_failed = 0;
    key_folder_put_known(&there, ROLE_MODELD, true, &new);
    key_folder_put_server(&here, ROLE_MODELD, &new);
    assert_true(becomes(has_failed_twice));
    assert_int_equal(log_caught_times(" server_key_not_bound link=logits why=\"cannot "), 1);
    assert_int_equal(log_caught_times(" server_key_changed "), 0);
}

static void assert_met_anew(void) {
    failing = "";
    assert_true(becomes(joined_twice));
    assert_string_equal(peers_address(up.ps), bound_address);
    assert_int_equal(log_caught_times(" server_key_not_bound "), 1);
    assert_int_equal(log_caught_times(" server_key_changed link=logits endpoint="), 1);
}

static void a_new_server_key_is_bound_until_it_holds(void **state) {
    (void)state;
    change_server_key_in_vain("zmq_bind");
    assert_met_anew();
    run_ms(2 * LOOK_MS);
    assert_true(joined_twice());            /* once it holds it is not tried again */
}

static void whoever_is_there_stays_until_a_new_server_key_can_be_bound(void **state) {
    (void)state;
    change_server_key_in_vain("zmq_unbind");
    assert_int_equal(up.n_left + down.n_left, 0);
    assert_int_equal(side_send(&down, down.last, 1, 0), STATUS_OK);
    assert_true(all_arrive(1, &up));
    assert_met_anew();
}

static void an_endpoint_that_is_not_bound_yet_gives_its_port_back(void **state) {
    (void)state;
    change_server_key_in_vain("zmq_bind");
    peers_free(&up.ps);
    failing = "";
    up.where.address = bound_address;
    side_open(&up, true);
    assert_true(becomes(both_joined));
}

/* ---- keys that cannot be read ---- */

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

static size_t n_told;

static bool is_told(void) { return log_caught_times(" key_unreadable why=") == n_told; }

static void each_fault_of_a_server_key_is_told_once(void **state) {
    (void)state;
    authorise("");
    open_bound();
    log_catch("test", LOG_INFO);
    n_told = 1;
    key_folder_write(&here, "server/modeld.key_secret", "nothing", 0600);
    assert_true(becomes(is_told));
    n_told = 2;
    key_folder_write(&here, "server/modeld.key_secret", "nothing", 0644);
    assert_true(becomes(is_told));
    run_ms(2 * LOOK_MS);
    assert_true(is_told());
    key_folder_put_server(&here, ROLE_MODELD, &server);
    run_ms(2 * LOOK_MS);
    n_told = 3;
    key_folder_write(&here, "server/modeld.key_secret", "nothing", 0644);
    assert_true(becomes(is_told));
    assert_int_equal(log_caught_times("others may read the secret key"), 2);
}

/* A folder that others may write is no place for it, and it is read again when they may not. */
static void a_server_keys_folder_is_looked_at_again(void **state) {
    (void)state;
    char folder[96];
    snprintf(folder, sizeof folder, "%s/server", here.path);
    authorise("");
    open_bound();
    log_catch("test", LOG_INFO);
    for (n_told = 1; n_told <= 2; n_told++) {
        assert_int_equal(chmod(folder, 0770), 0);
        assert_true(becomes(is_told));
        assert_int_equal(chmod(folder, 0700), 0);
        run_ms(2 * LOOK_MS);
    }
    assert_int_equal(log_caught_times("others may write"), 2);
}

static void join_quietly(void) {
    endpoint *one;
    assert_int_equal(endpoint_join(&one, &down.where, &f), STATUS_OK);
    endpoint_close(&one);
}

static void each_fault_of_a_joiners_key_is_told_once(void **state) {
    (void)state;
    open_bound();
    join_quietly();
    log_catch("test", LOG_INFO);
    for (size_t n = 1; n <= 2; n++) {
        key_folder_write(&there, "own/samplerd.key_secret", "nothing", 0600);
        join_quietly();
        join_quietly();
        key_folder_write(&there, "own/samplerd.key_secret", "nothing", 0644);
        join_quietly();
        join_quietly();
        assert_int_equal(log_caught_times(" key_unreadable why="), 2 * n);
        assert_int_equal(log_caught_times("others may read"), n);
        key_folder_put_own(&there, ROLE_SAMPLERD, &joiner);
        join_quietly();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KEYS_TEST(rights_hold_as_they_are_written),
        KEYS_TEST(rights_of_several_files_add_up),
        KEYS_TEST(a_revoked_key_is_cut),
        KEYS_TEST(whoever_was_let_in_before_is_refused_at_his_hello),
        KEYS_TEST(a_new_server_key_holds_at_once),
        KEYS_TEST(a_new_server_key_is_bound_until_it_holds),
        KEYS_TEST(whoever_is_there_stays_until_a_new_server_key_can_be_bound),
        KEYS_TEST(an_endpoint_that_is_not_bound_yet_gives_its_port_back),
        KEYS_TEST(a_joiner_whose_folder_is_spoilt_goes_on),
        KEYS_TEST(each_fault_of_a_server_key_is_told_once),
        KEYS_TEST(a_server_keys_folder_is_looked_at_again),
        KEYS_TEST(each_fault_of_a_joiners_key_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
