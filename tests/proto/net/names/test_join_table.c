/* Links to all that names lead to: which address is joined, and when it is not any more. Links here are numbers. */
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/limits.h"
#include "proto/net/endpoint/waiting.h"
#include "proto/net/names/join_table.h"
#include "tests/support/link/name_server.h"
#include "tests/support/link/turns.h"
#include "tests/support/log_catch.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

enum { LINKS_MAX = 64 };

typedef struct fake_link {
    char address[ENDPOINT_BYTES_MAX];
    bool left;
} fake_link;

static struct {
    loop *loop;
    join_table *table;
    fake_link links[LINKS_MAX];     /* [n_links], in the order in which they were made */
    size_t n_links, n_left;
    size_t n_refused;               /* of the next tries to join, so many fail */
} at;

static void *join(void *context, const char *address, failure *f) {
    assert_ptr_equal(context, &at);
    if (at.n_refused > 0) {
        at.n_refused--;
        *f = (failure){STATUS_NO_MEMORY, "no memory"};
        return NULL;
    }
    fake_link *link = &at.links[at.n_links++];
    assert_true(at.n_links <= LINKS_MAX);
    snprintf(link->address, sizeof link->address, "%s", address);
    return link;
}

static void leave(void *context, void *link_pointer) {
    assert_ptr_equal(context, &at);
    fake_link *link = link_pointer;
    assert_false(link->left);
    link->left = true;
    at.n_left++;
}

static int begin(void **state) {
    (void)state;
    memset(&at, 0, sizeof at);
    name_server_begin();
    at.loop = loop_new();
    return at.loop ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    join_table_free(&at.table);
    loop_free(&at.loop);
    return at.n_left == at.n_links ? 0 : -1;
}

static status open_table(size_t n, const char *const *endpoints) {
    failure f;
    return join_table_new(&at.table, at.loop, endpoints, n, &(join_table_events){join, leave}, &at, &f);
}

/* Whatever happens in the next turns. */
static void settle(void) {
    turns_for_ms(at.loop, 10);
}

static void until_links(size_t n) {
    assert_true(turns_until_count(at.loop, &at.n_links, n));
}

static void until_left(size_t n) {
    assert_true(turns_until_count(at.loop, &at.n_left, n));
}

static fake_link *link_to(const char *address) {
    for (size_t i = 0; i < at.n_links; i++)
        if (!at.links[i].left && strcmp(at.links[i].address, address) == 0) return &at.links[i];
    return NULL;
}

static size_t n_listed(void) {
    size_t n = 0;
    for (size_t i = 0; i < JOINS_MAX; i++) n += join_table_link(at.table, i) != NULL;
    return n;
}

/* ---- tests ---- */

static void addresses_are_joined_at_once_and_each_once(void **state) {
    (void)state;
    assert_int_equal(open_table(LIST("tcp://10.0.0.1:1", "ipc:///run/models", "tcp://10.0.0.1:1")), STATUS_OK);
    assert_int_equal(at.n_links, 2);
    assert_int_equal(n_listed(), 2);
    assert_non_null(link_to("ipc:///run/models"));
    assert_int_equal(name_server_questions(), 0);
}

static void what_cannot_be_joined_at_the_start_is_told(void **state) {
    (void)state;
    at.n_refused = 1;
    assert_int_equal(open_table(LIST("tcp://10.0.0.1:1")), STATUS_NO_MEMORY);
    assert_null(at.table);
}

/* Two names, one of their addresses the same. */
static void all_addresses_of_all_names_are_joined(void **state) {
    (void)state;
    name_server_says(0, LIST("10.0.0.1", "fd00::1"));
    assert_int_equal(open_table(LIST("tcp://one:1", "tcp://other:1", "tcp://10.0.0.1:1")), STATUS_OK);
    assert_int_equal(at.n_links, 1);
    until_links(2);
    settle();
    assert_int_equal(at.n_links, 2);
    assert_non_null(link_to("tcp://[fd00::1]:1"));
}

static void an_address_that_is_gone_keeps_its_link_while_that_stands(void **state) {
    (void)state;
    name_server_says(0, LIST("10.0.0.1", "10.0.0.2"));
    assert_int_equal(open_table(LIST("tcp://name:1")), STATUS_OK);
    until_links(2);
    fake_link *gone = link_to("tcp://10.0.0.1:1");
    join_table_joined(at.table, gone, 1);           /* the other one never joins */
    name_server_says(0, LIST("10.0.0.3"));
    until_links(3);
    assert_true(at.links[1].left);                  /* what did not stand and is gone is left at once */
    assert_false(gone->left);
    join_table_lost(at.table, gone);
    until_left(2);
    assert_true(gone->left);
    settle();
    assert_int_equal(at.n_links, 3);
    assert_int_equal(n_listed(), 1);
}

/* A link that is lost is no other one: it goes on trying by itself. */
static void an_address_that_stays_keeps_its_link_when_it_is_lost(void **state) {
    (void)state;
    name_server_says(0, LIST("10.0.0.1"));
    assert_int_equal(open_table(LIST("tcp://name:1")), STATUS_OK);
    until_links(1);
    size_t before = name_server_questions();
    join_table_joined(at.table, &at.links[0], 1);
    join_table_lost(at.table, &at.links[0]);
    turns_for_ms(at.loop, 2 * NAME_ASK_MS_MIN);
    assert_int_equal(name_server_questions(), before + 1);  /* it may have another address now */
    assert_int_equal(at.n_links, 1);
    assert_int_equal(at.n_left, 0);
}

static void two_addresses_of_one_process_have_one_link(void **state) {
    (void)state;
    assert_int_equal(open_table(LIST("tcp://10.0.0.1:1", "tcp://[fd00::1]:1")), STATUS_OK);
    join_table_joined(at.table, &at.links[0], 77);
    join_table_joined(at.table, &at.links[1], 77);
    assert_int_equal(at.n_left, 1);                 /* before anything comes through the other */
    assert_true(at.links[0].left);                  /* the newer one is what the other side has */
    settle();
    assert_int_equal(at.n_links, 2);
    assert_int_equal(n_listed(), 1);
    join_table_lost(at.table, &at.links[1]);        /* either may be the one that leads there now */
    until_links(3);
    assert_non_null(link_to("tcp://10.0.0.1:1"));
    assert_non_null(link_to("tcp://[fd00::1]:1"));
}

/* What stands stays: its texts go on. */
static void another_address_of_a_process_that_is_joined_is_left_before_it_joins(void **state) {
    (void)state;
    name_server_says(0, LIST("10.0.0.1"));
    assert_int_equal(open_table(LIST("tcp://name:1")), STATUS_OK);
    until_links(1);
    assert_false(join_table_asks_who(at.table, "tcp://10.0.0.1:1"));
    join_table_joined(at.table, &at.links[0], 77);
    name_server_says(0, LIST("10.0.0.1", "fd00::1", "fd00::2"));
    until_links(3);
    assert_true(join_table_asks_who(at.table, "tcp://[fd00::1]:1"));
    assert_false(join_table_met(at.table, &at.links[1], 77));
    assert_true(join_table_met(at.table, &at.links[2], 78));    /* another process */
    until_left(1);
    assert_true(at.links[1].left);
    settle();
    assert_int_equal(at.n_links, 3);
    join_table_lost(at.table, &at.links[0]);
    until_links(4);                                 /* either may be the one that leads there now */
    assert_non_null(link_to("tcp://10.0.0.1:1"));
    assert_non_null(link_to("tcp://[fd00::1]:1"));
}

static void of_two_that_try_whoever_meets_the_process_first_joins_it(void **state) {
    (void)state;
    name_server_says(0, LIST("10.0.0.1", "fd00::1"));
    assert_int_equal(open_table(LIST("tcp://name:1")), STATUS_OK);
    until_links(2);
    assert_true(join_table_asks_who(at.table, "tcp://10.0.0.1:1"));
    assert_true(join_table_asks_who(at.table, "tcp://[fd00::1]:1"));
    assert_true(join_table_met(at.table, &at.links[0], 77));
    assert_true(join_table_met(at.table, &at.links[0], 77));    /* asked again, as an answer is slow */
    assert_false(join_table_met(at.table, &at.links[1], 77));
    until_left(1);
    assert_true(at.links[1].left);
    join_table_refused(at.table, &at.links[0]);     /* it does not join after all */
    until_links(3);
    assert_string_equal(at.links[2].address, "tcp://[fd00::1]:1");
}

/* No name says that they might be one process. */
static void addresses_that_were_given_ask_nothing_before_one_stands(void **state) {
    (void)state;
    assert_int_equal(open_table(LIST("tcp://10.0.0.1:1", "tcp://10.0.0.2:1")), STATUS_OK);
    assert_false(join_table_asks_who(at.table, "tcp://10.0.0.2:1"));
    join_table_joined(at.table, &at.links[0], 77);
    assert_true(join_table_asks_who(at.table, "tcp://10.0.0.2:1"));
    assert_false(join_table_asks_who(at.table, "tcp://10.0.0.1:1"));
}

static void more_than_fit_wait_for_room(void **state) {
    (void)state;
    if (JOINS_MAX >= NAME_ADDRESSES_MAX) skip();
    static char text[JOINS_MAX + 1][16];
    const char *all[JOINS_MAX + 1];
    for (size_t i = 0; i <= JOINS_MAX; i++) {
        snprintf(text[i], sizeof text[i], "10.0.0.%zu", i);
        all[i] = text[i];
    }
    name_server_says(0, JOINS_MAX + 1, all);
    assert_int_equal(open_table(LIST("tcp://name:1")), STATUS_OK);
    until_links(JOINS_MAX);
    for (size_t i = 0; i < JOINS_MAX; i++) join_table_joined(at.table, &at.links[i], i + 1);
    turns_for_ms(at.loop, JOIN_TURN_MS + 100);
    assert_int_equal(at.n_links, JOINS_MAX);
    name_server_says(0, JOINS_MAX, all + 1);        /* the first one is gone, */
    join_table_lost(at.table, &at.links[0]);        /* and so is whoever was there */
    until_links(JOINS_MAX + 1);
    assert_string_equal(at.links[JOINS_MAX].address, "tcp://10.0.0.16:1");
}

/* More addresses than there are links, and the only one that answers is the last. */
static void those_that_do_not_answer_take_turns(void **state) {
    (void)state;
    enum { EACH = 7, ALL = 3 * EACH };
    assert_in_range(ALL, JOINS_MAX + 1, 2 * JOINS_MAX);
    assert_in_range(EACH, 1, NAME_ADDRESSES_MAX);
    name_server_says(0, LIST("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7"));
    assert_int_equal(open_table(LIST("tcp://name:1", "tcp://name:2", "tcp://name:3")), STATUS_OK);
    until_links(JOINS_MAX);
    join_table_joined(at.table, &at.links[0], 1);
    join_table_met(at.table, &at.links[1], 2);      /* and never joins */
    join_table_refused(at.table, &at.links[2]);
    until_links(ALL);
    assert_int_equal(at.n_left, ALL - JOINS_MAX);   /* no more than others waited for */
    for (size_t i = 0; i < ALL; i++)
        for (size_t k = 0; k < i; k++) assert_string_not_equal(at.links[i].address, at.links[k].address);
    join_table_joined(at.table, &at.links[ALL - 1], 3);
    until_links(3 * ALL - 2 * JOINS_MAX);
    assert_false(at.links[0].left);
    assert_true(at.links[1].left);
    assert_false(at.links[ALL - 1].left);
    assert_int_equal(n_listed(), JOINS_MAX);
}

/* An address that leads to a process with a link holds no place for ever, either. */
static void an_address_that_is_known_to_lead_elsewhere_makes_room_after_a_while(void **state) {
    (void)state;
    if (!TINY_LIMITS) skip();
    name_server_says(0, LIST("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8"));
    assert_int_equal(open_table(LIST("tcp://name:1", "tcp://name:2", "tcp://name:3")), STATUS_OK);
    until_links(JOINS_MAX);
    join_table_joined(at.table, &at.links[0], 1);
    for (size_t i = 1; i < JOINS_MAX; i++) join_table_met(at.table, &at.links[i], 1);
    until_left(JOINS_MAX - 1);
    settle();
    assert_int_equal(at.n_links, JOINS_MAX);
    until_links(JOINS_MAX + 1);
    assert_null(link_to("tcp://10.0.0.2:1"));
    assert_non_null(link_to(at.links[JOINS_MAX].address));
}

/* However many endpoints wait, and begin to anew. */
static void lines_about_waiting_are_bounded(void **state) {
    (void)state;
    log_catch("test", LOG_INFO);
    for (size_t i = 0; i < 2 * WAITING_LINES_MAX; i++) {
        waiting w = {.line_ms = 1};     /* it is due */
        waiting_goes_on(&w, "tcp://10.0.0.1:1", "refused");
        assert_true(w.line_ms > 1);
    }
    log_catch_end();
    assert_in_range(log_caught_times(" waiting endpoint=tcp://10.0.0.1:1 reach=refused"), 1, WAITING_LINES_MAX);
}

static void what_fails_later_is_tried_again(void **state) {
    (void)state;
    name_server_says(0, LIST("10.0.0.1"));
    assert_int_equal(open_table(LIST("tcp://name:1")), STATUS_OK);
    at.n_refused = 1;
    until_links(1);
}

static void all_are_refused_when_no_name_may_lead_elsewhere(void **state) {
    (void)state;
    assert_int_equal(open_table(LIST("tcp://10.0.0.1:1", "tcp://10.0.0.2:1")), STATUS_OK);
    join_table_refused(at.table, &at.links[0]);
    assert_false(join_table_all_refused(at.table));
    join_table_refused(at.table, &at.links[1]);
    assert_true(join_table_all_refused(at.table));
    settle();
    assert_int_equal(at.n_left, 0);
}

static void a_name_may_always_lead_elsewhere(void **state) {
    (void)state;
    name_server_says(0, LIST("10.0.0.1"));
    assert_int_equal(open_table(LIST("tcp://name:1")), STATUS_OK);
    until_links(1);
    join_table_refused(at.table, &at.links[0]);
    assert_false(join_table_all_refused(at.table));
    settle();
    assert_int_equal(at.n_links, 1);                /* and the same one is not asked again at once */
    name_server_says(0, LIST("10.0.0.2"));
    until_links(2);
    assert_true(at.links[0].left);
    name_server_says(0, LIST("10.0.0.1"));          /* another process may have that address now */
    until_links(3);
}

static void whoever_refused_for_good_is_asked_again_after_a_while(void **state) {
    (void)state;
    if (!TINY_LIMITS) skip();
    name_server_says(0, LIST("10.0.0.1"));
    assert_int_equal(open_table(LIST("tcp://name:1")), STATUS_OK);
    until_links(1);
    join_table_refused(at.table, &at.links[0]);
    until_links(2);
    assert_true(at.links[0].left);
    assert_string_equal(at.links[1].address, "tcp://10.0.0.1:1");
}

static void a_name_that_leads_nowhere_has_no_link(void **state) {
    (void)state;
    name_server_says(EAI_NONAME, 0, NULL);
    assert_int_equal(open_table(LIST("tcp://name:1")), STATUS_OK);
    turns_for_ms(at.loop, 100);
    assert_int_equal(n_listed(), 0);
    name_server_says(0, LIST("10.0.0.1"));
    until_links(1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(addresses_are_joined_at_once_and_each_once),
        TEST(what_cannot_be_joined_at_the_start_is_told),
        TEST(all_addresses_of_all_names_are_joined),
        TEST(an_address_that_is_gone_keeps_its_link_while_that_stands),
        TEST(an_address_that_stays_keeps_its_link_when_it_is_lost),
        TEST(two_addresses_of_one_process_have_one_link),
        TEST(another_address_of_a_process_that_is_joined_is_left_before_it_joins),
        TEST(of_two_that_try_whoever_meets_the_process_first_joins_it),
        TEST(addresses_that_were_given_ask_nothing_before_one_stands),
        TEST(more_than_fit_wait_for_room),
        TEST(those_that_do_not_answer_take_turns),
        TEST(an_address_that_is_known_to_lead_elsewhere_makes_room_after_a_while),
        TEST(lines_about_waiting_are_bounded),
        TEST(what_fails_later_is_tried_again),
        TEST(all_are_refused_when_no_name_may_lead_elsewhere),
        TEST(a_name_may_always_lead_elsewhere),
        TEST(whoever_refused_for_good_is_asked_again_after_a_while),
        TEST(a_name_that_leads_nowhere_has_no_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
