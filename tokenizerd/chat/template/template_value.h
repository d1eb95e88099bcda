/* What an expression of a chat template is worth, in a conversation whose roles are known
 * and whose contents are not. A content may be written, trimmed and put together with other texts;
 * all else that would depend on it is VERDICT_STRANGE. So is what depends on a position or a length
 * beyond the first few: then what is seen in short conversations holds in long ones. */
#ifndef TRIVIUM_TEMPLATE_VALUE_H
#define TRIVIUM_TEMPLATE_VALUE_H

#include "template_tree.h"

/* Units of a text beyond its bytes: the content of message i, and the same without blanks at its
 * ends. */
enum { UNIT_CONTENT = 256, UNITS_OF_CONTENT = 2, UNIT_IS_TRIMMED = 1 };

/* Positions and lengths are told apart up to here, positions also odd from even; messages are
 * looked at by number before `KNOWN_MESSAGES`. */
enum { KNOWN_COUNT_MAX = 2, KNOWN_MESSAGES = 2 };

typedef enum template_value_kind {
    VALUE_UNDEFINED,
    VALUE_NONE,
    VALUE_BOOL,                 /* number: 0 or 1 */
    VALUE_INTEGER,              /* number */
    VALUE_POSITION,             /* number: of a message in the loop */
    VALUE_LENGTH,               /* number: of messages, at most known_max + 1 */
    VALUE_TEXT,                 /* text */
    VALUE_LIST,                 /* list: a node, of texts alone */
    VALUE_MESSAGES,             /* number: those from this one on */
    VALUE_MESSAGE,              /* number: which */
    VALUE_LOOP,
    VALUE_NAMESPACE,            /* number: which */
    VALUE_FUNCTION,             /* one that can only be called */
    VALUE_STRANGE,
} template_value_kind;

typedef struct template_value {
    template_value_kind kind;
    int32_t number;
    int32_t known_max;          /* of a length: it is told apart up to here */
    template_text text;
    const template_node *list;
} template_value;

typedef enum verdict {
    VERDICT_NO,
    VERDICT_YES,
    VERDICT_STRANGE,
} verdict;

verdict value_truth(const template_value *v);
verdict value_compare(template_comparison comparison, const template_value *left,
                      const template_value *right);
verdict value_is(const template_value *v, template_name test);

/* Without blanks at both ends; VALUE_STRANGE where a content decides what goes. `unit` is
 * written when the text cannot be borrowed. */
template_value value_trimmed(const template_value *v, text_unit *unit);

#endif
