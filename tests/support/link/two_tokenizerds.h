/* A client of one or two tokenizerds, all played by the test: what it is asked for, what they say, and what has come of it. */
#ifndef TRIVIUM_TESTS_TWO_TOKENIZERDS_H
#define TRIVIUM_TESTS_TWO_TOKENIZERDS_H

#include "client/lib/client.h"
#include "proto/base/limits.h"
#include "place.h"
#include "text_peer.h"
#include "turns.h"

enum { WAIT_LONG_MS = 60000 };

/* One of several texts, told by the first byte of its id. */
typedef struct text {
    generation_request request;
    size_t n_tokens, n_done;
    finish_reason reason;
    status code;
} text;

extern place first_at, second_at;
extern text_peer first, second;
extern client *under_test;
extern text one, two;
extern size_t n_answers;

/* Before and after each test; cmocka's set-up and teardown. */
int two_tokenizerds_begin(void **state);
int two_tokenizerds_end(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, two_tokenizerds_begin, two_tokenizerds_end)

/* Its Generate, the n-th there; NULL: none. */
const text_peer_asked *looked_for(const text_peer *t, const text *of, size_t n);
bool has_asked(const text_peer *t, Trivium__TextRequest__BodyCase body);
#define ASKED(peer, BODY) has_asked(&(peer), TRIVIUM__TEXT_REQUEST__BODY_##BODY)

void begins(text *t, uint8_t name);
void asks(question_kind kind);
void knows_for_ms(size_t n_endpoints, uint32_t wait_ms);
void client_knows(size_t n_endpoints);
void opens(text_peer *t);
bool comes_true(bool (*wanted)(void));
bool first_is_joined(void);
bool first_is_joined_again(void);
bool second_is_joined_again(void);
bool second_is_joined(void);
bool one_has_a_token(void);
bool one_has_two_tokens(void);
bool one_is_done(void);
bool two_is_done(void);
bool is_answered(void);
bool first_has_one(void);
bool first_has_two(void);
bool second_has_one(void);
bool second_has_two(void);
bool first_is_asked_for_status(void);
bool first_is_asked_to_watch(void);
bool first_is_asked_to_pause(void);
bool first_is_asked_to_tokenize(void);
bool second_is_asked_to_tokenize(void);
void says_token(text_peer *t, const text *of, uint32_t step);
void says_end(text_peer *t, const text *of, Trivium__Code code);
void says_done(text_peer *t, const text *of);
void says_failed(text_peer *t, uint64_t call, Trivium__Code code);
void joins_the_first(size_t n_endpoints);
void drains_in_a_text(size_t n_endpoints);

#endif
