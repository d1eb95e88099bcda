/* `up --keep`: stay, and start again what ends. */
#ifndef TRIVIUM_KEEPER_H
#define TRIVIUM_KEEPER_H

#include "parts.h"

/* Keep the parts running until SIGINT or SIGTERM, then end them. An exit code. */
int keeper_run(parts *p);

#endif
