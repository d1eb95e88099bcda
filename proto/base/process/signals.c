#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
enum {
    N_ENDING = sizeof ending / sizeof *ending,
    SECOND = 8,                 /* `waiting`: a number, and from this bit on that of a second one */
    NUMBER = (1 << SECOND) - 1,
};

_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "a handler may use them");
static atomic_int waiting, rule_now = SIGNALS_END, wake_fd = -1, hangup_fd = -1, code_at_end;

static bool is_held(int number, signals_rule rule) {
    return rule == SIGNALS_HOLD || (rule == SIGNALS_HOLD_INTERRUPT && number == SIGINT);
}

static void wake(int fd) {
    int kept = errno;
    uint64_t one = 1;
    ssize_t ignored = write(fd, &one, sizeof one);
    (void)ignored;
    errno = kept;
}

/* What waits when this one has come, too. More than two mean no more than two do. */
static int with(int waits, int number) {
    int first = waits & NUMBER;
    if (first == 0) return number;
    if (first == SIGINT) return number | SIGINT << SECOND;
    return waits >> SECOND ? waits : first | number << SECOND;
}

static void on_signal(int number) {
    if (number == SIGHUP && hangup_fd >= 0) {
        wake(hangup_fd);
        return;
    }
    if (!is_held(number, (signals_rule)rule_now)) _exit(code_at_end);
    int waits = waiting;
    while (!atomic_compare_exchange_weak(&waiting, &waits, with(waits, number)));
    wake(wake_fd);
}

bool signals_ignored(int number) {
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

static sigset_t all_ending(void) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < N_ENDING; i++) sigaddset(&set, ending[i]);
    return set;
}

static void catch(int number) {
    sigaction(number, &(struct sigaction){.sa_handler = on_signal, .sa_mask = all_ending(), .sa_flags = SA_RESTART}, NULL);
}

void signals_begin(int exit_code) {
    const sigset_t set = all_ending();
    code_at_end = exit_code;
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < N_ENDING; i++)
        if (ending[i] == SIGTERM || !signals_ignored(ending[i])) catch(ending[i]);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

signals_rule signals_set(signals_rule rule) {
    signals_rule before = (signals_rule)atomic_exchange(&rule_now, (int)rule);
    int number = signals_waiting();
    if (number != 0 && !is_held(number, rule)) _exit(code_at_end);
    return before;
}

void signals_hand_on(void) {
    const sigset_t set = all_ending();
    sigprocmask(SIG_SETMASK, &set, NULL);
    for (int i = 0; i < N_ENDING; i++) signal(ending[i], SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
}

int signals_waiting(void) {
    return waiting & NUMBER;
}

int signals_take(int *second) {
    int waits = atomic_exchange(&waiting, 0);
    if (second) *second = waits >> SECOND;
    return waits & NUMBER;
}

void signals_hangup_wakes(int fd) {
    hangup_fd = fd;
    if (fd >= 0) catch(SIGHUP);
}

int signals_wake(int fd) {
    return atomic_exchange(&wake_fd, fd);
}
