#include "serving.h"

status model_check_ids(const model_facts *m, const int32_t *ids, size_t n_ids, failure *f) {
    for (size_t i = 0; i < n_ids; i++)
        if (ids[i] < 0 || (uint32_t)ids[i] >= m->n_vocab)
            return fail(
                f, STATUS_BAD_ID,
                "the id %d is outside the vocabulary of '%s', which has %u tokens (0 to %u)",
                ids[i], m->name, m->n_vocab, m->n_vocab - 1);
    return STATUS_OK;
}
