/* Chat templates as models bring them, in Jinja: what recognition is tested on. */
#ifndef TRIVIUM_TESTS_CHAT_TEMPLATES_H
#define TRIVIUM_TESTS_CHAT_TEMPLATES_H

/* ChatML, with a system message of their own: one literal; several places, tools first; the same
 * with the text in a branch only; text outside of tags. */
extern const char template_smollm2[], template_qwen25[], template_qwen_branch[],
    template_outside[];
/* ChatML without one: system texts that belong to tools. */
extern const char template_qwen3[];
/* ChatML but for something: a system message without another one is lost; no reply is begun. */
extern const char template_variable[], template_chatml_bare[];

extern const char template_llama3[], template_llama31[], template_llama32[];

extern const char template_plain[];

/* Other forms. */
extern const char template_zephyr[], template_mistral[], template_gemma[], template_phi3[],
    template_phi4[];

#endif
