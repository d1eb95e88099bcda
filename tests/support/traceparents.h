/* Places in a trace, for tests of what carries them. */
#ifndef TRIVIUM_TESTS_TRACEPARENTS_H
#define TRIVIUM_TESTS_TRACEPARENTS_H

#define SOME_TRACE_ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define SOME_PARENT_ID "00f067aa0ba902b7"
#define SOME_TRACE_IDS SOME_TRACE_ID "-" SOME_PARENT_ID
#define SOME_TRACEPARENT "00-" SOME_TRACE_IDS "-01"
#define LATER_TRACEPARENT "01-" SOME_TRACE_IDS "-03-more"      /* of a later version: carried as SOME_TRACEPARENT */
#define NO_TRACEPARENT "00-" SOME_TRACE_IDS "-0"

#endif
