#include "wire_chain.h"

static Trivium__Strategy *chain_of(const char *name, double number) {
    static double numbers[1];
    static Trivium__Step only;
    static Trivium__Step *all[] = {&only};
    static Trivium__Strategy chain;
    trivium__step__init(&only);
    trivium__strategy__init(&chain);
    numbers[0] = number;
    only.name = (char *)name;
    only.n_numbers = 1;
    only.numbers = numbers;
    chain.n_steps = 1;
    chain.steps = all;
    return &chain;
}

Trivium__Strategy *wire_temperature(double number) {
    return chain_of("temperature", number);
}

Trivium__Strategy *wire_unknown(void) {
    return chain_of("nobody_knows_this", 1);
}
