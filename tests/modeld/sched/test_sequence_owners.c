/* sequences.h: whose a sequence is. Who gets pages next, whose sessions and ids they are, what one owner may have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/support/modeld/sequence_world.h"

#include <cmocka.h> /* after ours: it has a macro named fail */

static job a_text_of(world *w, const char *whose, uint8_t name, uint32_t n_ids) {
    job asked = a_text(w, name, n_ids, n_ids);
    asked.owner = whose;
    return asked;
}

static sequence *open_of(world *w, const char *whose, uint8_t name, uint32_t n_ids) {
    const job asked = a_text_of(w, whose, name, n_ids);
    return open_job(w, &asked);
}

static void pages_go_to_the_owner_with_the_fewest(void **state) {
    world *w = *state;
    sequence *anns[3], *bobs;
    for (uint8_t i = 0; i < 3; i++) anns[i] = open_of(w, "ann", i, 2);
    bobs = open_of(w, "bob", 9, 2);
    assert_ptr_equal(admit(w), anns[0]);
    assert_ptr_equal(admit(w), bobs);       /* though two of Ann's came before */
    assert_ptr_equal(admit(w), anns[1]);
    sequences_close(w->table, anns[0]);
    sequences_close(w->table, anns[1]);
    assert_ptr_equal(admit(w), anns[2]);
}

static void what_could_go_on_is_counted(void **state) {
    world *w = *state;
    sequence *first = sampling_text(w, 1, 2), *second = sampling_text(w, 2, 2);
    const owner *whose = first->owner;
    assert_int_equal(whose->n_ready, 0);
    draw(w, first, 1);
    draw(w, second, 1);
    assert_int_equal(whose->n_ready, 2);
    compute(w, first, 1);
    assert_int_equal(whose->n_ready, 1);
    sequences_close(w->table, second);
    assert_int_equal(whose->n_ready, 0);
}

/* Six positions stay. */
static void ann_talked(world *w) {
    job asked = a_text_of(w, "ann", 1, 6);
    asked.text.session = "talk";
    sequence *s = open_job(w, &asked);
    admit(w);
    compute(w, s, 6);
    sequences_close(w->table, s);
}

static void a_session_is_its_owners(void **state) {
    world *w = *state;
    ann_talked(w);
    job asked = a_text_of(w, "bob", 2, 8);
    asked.text.session = "talk";
    open_job(w, &asked);
    assert_int_equal(sequence_pages_of(admit(w))->n_cached, 0);
    asked = a_text_of(w, "ann/talk", 3, 8); /* no name of an owner and a session is another's */
    asked.text.session = "talk";
    open_job(w, &asked);
    assert_int_equal(sequence_pages_of(admit(w))->n_cached, 0);
}

static void a_session_is_found_again_by_its_owner(void **state) {
    world *w = *state;
    ann_talked(w);
    job asked = a_text_of(w, "ann", 2, 8);
    asked.text.session = "talk";
    open_job(w, &asked);
    assert_int_equal(sequence_pages_of(admit(w))->n_cached, 6);
}

static void two_owners_have_one_id_at_once(void **state) {
    world *w = *state;
    job bobs = a_text_of(w, "bob", 1, 2);
    bobs.text.number = 5;
    sequence *of_ann = open_of(w, "ann", 1, 2), *of_bob = open_job(w, &bobs);
    const uint8_t *id = sequence_text(of_ann)->request;
    assert_ptr_equal(sequences_find(w->table, "ann", id), of_ann);
    assert_ptr_equal(sequences_find(w->table, "bob", id), of_bob);
    assert_null(sequences_find(w->table, "carl", id));
    assert_ptr_equal(sequences_find_text(w->table, w, id, 0), of_ann);
    assert_ptr_equal(sequences_find_text(w->table, w, id, 5), of_bob);
    assert_null(sequences_find_text(w->table, w, id, 4));
    assert_null(sequences_find_text(w->table, id, id, 0));      /* that came through another link */
}

/* Its row goes to the sampler; the ticket. */
static uint64_t send(world *w, sequence *s) {
    admit(w);
    compute(w, s, s->n_ids);
    sequence_sent(w->table, s, &w->one, 10 * MS, 20 * MS);
    return s->sending.ticket;
}

static void a_ticket_tells_whose_text_it_was(void **state) {
    world *w = *state;
    text_home home;
    job bobs = a_text_of(w, "bob", 1, 2);
    bobs.text.number = 5;
    sequence *of_ann = open_of(w, "ann", 1, 2);
    const uint64_t anns = send(w, of_ann);
    sequence *of_bob = open_job(w, &bobs);
    const uint64_t tickets[] = {anns, send(w, of_bob)};
    uint8_t id[REQUEST_BYTES], other[REQUEST_BYTES] = {77};
    memcpy(id, sequence_text(of_ann)->request, sizeof id);
    for (int round = 0; round < 2; round++) {       /* and when they have ended */
        for (int i = 0; i < 2; i++) {
            assert_true(sequences_text_of(w->table, tickets[i], id, &home));
            assert_ptr_equal(home.from, w);
            assert_int_equal(home.number, i == 0 ? 0 : 5);
        }
        assert_false(sequences_text_of(w->table, 0, id, &home));        /* that would be a guess */
        assert_false(sequences_text_of(w->table, tickets[0], other, &home));
        assert_false(sequences_text_of(w->table, tickets[1] + SLOTS_MAX, id, &home));
        if (round == 0) sequences_close(w->table, of_ann);
        if (round == 0) sequences_close(w->table, of_bob);
    }
}

static void without_a_ticket_the_only_one_is_meant(void **state) {
    world *w = *state;
    text_home home;
    sequence *s = open_of(w, "ann", 1, 2);
    uint8_t id[REQUEST_BYTES];
    memcpy(id, sequence_text(s)->request, sizeof id);
    assert_true(sequences_text_of(w->table, 0, id, &home));
    sequences_close(w->table, s);
    assert_true(sequences_text_of(w->table, 0, id, &home));
    assert_ptr_equal(home.from, w);
}

/* Else it would lead to a link that was freed. */
static void traces_of_texts_whose_link_is_gone_are_nobodys(void **state) {
    world *w = *state;
    text_home home;
    int other_link;
    job others = a_text(w, 2, 2, 2);
    others.from = &other_link;
    sequence *s = open_of(w, "ann", 1, 2), *other = open_job(w, &others);
    const uint64_t ticket = send(w, s), others_ticket = send(w, other);
    uint8_t id[REQUEST_BYTES], others_id[REQUEST_BYTES];
    memcpy(id, sequence_text(s)->request, sizeof id);
    memcpy(others_id, sequence_text(other)->request, sizeof others_id);
    sequences_close(w->table, s);
    assert_true(sequences_text_of(w->table, ticket, id, &home));
    sequences_forget_link(w->table, w);
    assert_false(sequences_text_of(w->table, ticket, id, &home));
    assert_false(sequences_text_of(w->table, 0, id, &home));
    assert_true(sequences_text_of(w->table, others_ticket, others_id, &home));
    assert_ptr_equal(home.from, &other_link);
}

static void had_a_turn(world *w, const char *whose, uint8_t name) {
    open_of(w, whose, name, 2);
    sequences_close(w->table, admit(w));
}

static void who_comes_new_does_not_keep_others_from_their_turn(void **state) {
    world *w = *state;
    had_a_turn(w, "bob", 1);
    had_a_turn(w, "ann", 2);
    sequence *news = open_of(w, "new", 3, 2), *bobs = open_of(w, "bob", 4, 2);
    assert_ptr_equal(admit(w), bobs);       /* whose last turn is longer ago than that others come new */
    sequences_close(w->table, bobs);
    open_of(w, "bob", 5, 2);
    assert_ptr_equal(admit(w), news);
}

static void one_owner_gets_a_share(void **state) {
    world *w = *state;
    failure f;
    sequence *s;
    int n = 0;
    job asked = a_text_of(w, "ann", 0, 2);
    while (sequences_open(w->table, &asked, 0, &s, &f) == STATUS_OK) asked = a_text_of(w, "ann", (uint8_t)++n, 2);
    assert_int_equal(f.code, STATUS_BUSY);
    assert_non_null(strstr(f.message, "ann has its share"));
    assert_int_equal(n, SEQUENCES_MAX - SEQUENCES_MAX / 4);
    open_of(w, "bob", 1, 2);
}

static void an_owner_that_is_none_is_refused(void **state) {
    world *w = *state;
    failure f;
    sequence *s;
    char whose[OWNER_BYTES_MAX + 2];
    memset(whose, 'x', sizeof whose);
    whose[OWNER_BYTES_MAX + 1] = '\0';
    const char *const wrong[] = {whose, "a\nb", "\xff"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const job asked = a_text_of(w, wrong[i], 1, 2);
        assert_int_equal(sequences_open(w->table, &asked, 0, &s, &f), STATUS_BAD_REQUEST);
        assert_non_null(strstr(f.message, "owner"));
    }
    whose[OWNER_BYTES_MAX] = '\0';
    job asked = a_text_of(w, whose, 1, 2);
    static char session[NAME_BYTES_MAX + 1];
    memset(session, 's', NAME_BYTES_MAX);
    asked.text.session = session;       /* the longest key of all */
    open_job(w, &asked);
    assert_non_null(admit(w));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
    const struct CMUnitTest tests[] = {
        TEST(pages_go_to_the_owner_with_the_fewest),
        TEST(what_could_go_on_is_counted),
        TEST(a_session_is_its_owners),
        TEST(a_session_is_found_again_by_its_owner),
        TEST(two_owners_have_one_id_at_once),
        TEST(a_ticket_tells_whose_text_it_was),
        TEST(without_a_ticket_the_only_one_is_meant),
        TEST(traces_of_texts_whose_link_is_gone_are_nobodys),
        TEST(who_comes_new_does_not_keep_others_from_their_turn),
        TEST(one_owner_gets_a_share),
        TEST(an_owner_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
