/* scheduler.h: what one owner gets of a pass beside another's texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "modeld/sched/scheduler.h"

#include <cmocka.h>

enum {
    MANY = SEQUENCES_MAX - 1,           /* of Ann's texts */
    N_PLACES = SEQUENCES_MAX + 2,
    BOB = MANY,                         /* the place of what Bob has */
};

static const char ann, bob, carl;

typedef struct pass {
    scheduler s;
    demand demands[N_PLACES];
    uint32_t n_rows[N_PLACES], n_all;
} pass;

/* One in which `n` of Ann's texts decode, on a machine that computes as many rows as fit. */
static pass of_ann(uint32_t n) {
    pass p = {0};
    scheduler_init(&p.s, BATCH_ROWS_MAX);
    p.s.rows_per_ms = BATCH_ROWS_MAX;
    for (uint32_t i = 0; i < n; i++) p.demands[i] = (demand){.n_rows = 1, .decodes = true, .owner = &ann};
    return p;
}

static void share(pass *p, uint32_t n_demands) {
    p->n_all = scheduler_share(&p->s, p->demands, n_demands, p->n_rows);
}

static uint32_t rows_of(const pass *p, uint32_t n_demands, const void *owner) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_demands; i++)
        if (p->demands[i].owner == owner) n += p->n_rows[i];
    return n;
}

static uint32_t min_u32(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static void test_one_owner_alone_has_no_bound(void **state) {
    (void)state;
    pass p = of_ann(MANY);
    share(&p, MANY);
    assert_int_equal(p.n_all, MANY);
    p.demands[BOB] = (demand){.n_rows = 10 * BATCH_ROWS_MAX, .owner = &ann};
    share(&p, MANY + 1);
    assert_int_equal(p.n_all, BATCH_ROWS_MAX);
    assert_true(p.s.rows_an_owner == UINT32_MAX);
}

static void test_a_text_beside_many_of_another(void **state) {
    (void)state;
    pass p = of_ann(MANY);
    p.demands[BOB] = (demand){.n_rows = 1, .decodes = true, .owner = &bob};
    share(&p, MANY + 1);
    assert_int_equal(p.n_rows[BOB], 1);
    assert_int_equal(p.n_all, 1 + min_u32(SHARED_ROWS, MANY));
    p.demands[BOB].n_rows = 0;          /* a sampler has its row */
    share(&p, MANY + 1);
    assert_int_equal(p.n_all, min_u32(SHARED_ROWS, MANY));
}

static void test_all_have_their_turns(void **state) {
    (void)state;
    pass p = of_ann(MANY);
    p.demands[BOB] = (demand){.n_rows = 1, .decodes = true, .owner = &bob};
    const uint64_t n_passes = 4 * MANY, n_between = (MANY + SHARED_ROWS - 1) / SHARED_ROWS + 1;
    for (uint64_t number = 1; number <= n_passes; number++) {
        share(&p, MANY + 1);
        assert_int_equal(p.n_rows[BOB], 1);
        for (uint32_t i = 0; i < MANY; i++) {
            if (p.n_rows[i]) p.demands[i].last_pass = number;
            assert_true(number - p.demands[i].last_pass < n_between);
        }
    }
}

static void test_who_waited_longest_is_first(void **state) {
    (void)state;
    pass p = of_ann(SHARED_ROWS + 1);
    for (uint64_t i = 0; i <= SHARED_ROWS; i++) p.demands[i].last_pass = 10 - i;
    p.demands[SHARED_ROWS + 1] = (demand){.n_rows = 1, .decodes = true, .owner = &bob, .last_pass = 99};
    share(&p, SHARED_ROWS + 2);
    assert_int_equal(p.n_rows[0], 0);
    for (uint32_t i = 1; i <= SHARED_ROWS + 1; i++) assert_int_equal(p.n_rows[i], 1);
}

static void test_owners_of_equally_many_wait_for_nobody(void **state) {
    (void)state;
    pass p = of_ann(SEQUENCES_MAX);
    for (uint32_t i = 0; i < SEQUENCES_MAX; i += 2) p.demands[i].owner = &bob;
    share(&p, SEQUENCES_MAX);
    assert_int_equal(p.n_all, SEQUENCES_MAX);
}

static void test_the_one_with_the_fewest_texts_counts(void **state) {
    (void)state;
    enum { EACH = SEQUENCES_MAX / 2 - 1, N = 2 * EACH + 1 };
    pass p = of_ann(N);
    for (uint32_t i = 0; i < EACH; i++) p.demands[i].owner = &bob;
    p.demands[N - 1].owner = &carl;
    share(&p, N);
    assert_int_equal(rows_of(&p, N, &ann), min_u32(SHARED_ROWS, EACH));
    assert_int_equal(rows_of(&p, N, &bob), min_u32(SHARED_ROWS, EACH));
    assert_int_equal(p.n_rows[N - 1], 1);
}

static void test_prompts_are_short_beside_anothers_text(void **state) {
    (void)state;
    pass p = of_ann(0);
    for (uint32_t i = 0; i < 3; i++) p.demands[i] = (demand){.n_rows = 10 * BATCH_ROWS_MAX, .owner = &ann};
    share(&p, 3);
    assert_int_equal(p.n_all, BATCH_ROWS_MAX);
    p.demands[3] = (demand){.n_rows = 1, .decodes = true, .owner = &bob};
    share(&p, 4);
    assert_int_equal(p.n_rows[3], 1);
    assert_int_equal(p.n_all, 1 + SHARED_ROWS);
    p.demands[3].n_rows = 0;            /* a sampler has its row */
    share(&p, 4);
    assert_int_equal(p.n_all, SHARED_ROWS);
    p.demands[3].decodes = false;       /* of a score: nobody's text is slowed */
    share(&p, 4);
    assert_int_equal(p.n_all, BATCH_ROWS_MAX);
}

static void test_a_prompt_goes_on_beside_anothers_texts(void **state) {
    (void)state;
    pass p = of_ann(MANY);
    p.demands[BOB] = (demand){.n_rows = 10 * BATCH_ROWS_MAX, .owner = &bob};
    share(&p, MANY + 1);
    assert_int_equal(rows_of(&p, MANY + 1, &ann), min_u32(SHARED_ROWS, MANY));
    assert_int_equal(p.n_rows[BOB], SHARED_ROWS);
    p.s.rows_per_ms = 0;                /* however slow the machine is */
    share(&p, MANY + 1);
    assert_int_equal(p.n_rows[BOB], PREFILL_ROWS_MIN);
}

static void test_a_pass_has_a_bound(void **state) {
    (void)state;
    pass p = of_ann(MANY);
    p.demands[BOB] = (demand){.n_rows = 1, .decodes = true, .owner = &bob};
    p.demands[BOB + 1] = (demand){.n_rows = 9, .owner = &bob};
    for (uint32_t n_max = 1; n_max < 4; n_max++) {
        p.s.n_rows_max = n_max;
        share(&p, MANY + 2);
        assert_int_equal(p.n_all, n_max);
        assert_int_equal(rows_of(&p, MANY + 2, &ann) + rows_of(&p, MANY + 2, &bob), n_max);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_owner_alone_has_no_bound),
        cmocka_unit_test(test_a_text_beside_many_of_another),
        cmocka_unit_test(test_all_have_their_turns),
        cmocka_unit_test(test_who_waited_longest_is_first),
        cmocka_unit_test(test_owners_of_equally_many_wait_for_nobody),
        cmocka_unit_test(test_the_one_with_the_fewest_texts_counts),
        cmocka_unit_test(test_prompts_are_short_beside_anothers_text),
        cmocka_unit_test(test_a_prompt_goes_on_beside_anothers_texts),
        cmocka_unit_test(test_a_pass_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
