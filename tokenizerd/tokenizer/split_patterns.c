/* Each model's patterns are those of its tokenizer.json in Hugging Face's format, under the names
 * that llama.cpp's converter gives them. What is written differently here and why:
 *
 * - White space is Unicode's White_Space. PCRE2's own \s also takes U+180E, so SPACE spells it out.
 * - A pattern that would look at the same text again and again is written so that it does not:
 *   `\s+$` is tried only where white space begins, and some repeats are possessive.
 *
 * "default" is how llama.cpp splits where a file names no pattern.
 *
 * Not here: names whose patterns look ahead without bound at every match (jais-2, superbpe,
 * tiny_aya), that need rules of their own (afmoe, kimi-k2), or whose vocabulary is not byte-level
 * (gemma4). */
#include "split_patterns.h"

#include <stdio.h>
#include <string.h>

#define SPACE "\\p{Z}\\t-\\r\\x{85}"        /* for use within [ ] */
#define SPACES_BUT_ONE "[" SPACE "]+(?![^" SPACE "])"
#define NEWLINES "[" SPACE "]*[\\r\\n]+"
#define ONE_DIGIT "\\p{N}"
#define THREE_DIGITS "\\p{N}{1,3}"
#define SHORT_FORMS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"

#define GPT2 \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^" SPACE "\\p{L}\\p{N}]+|" \
    SPACES_BUT_ONE "|[" SPACE "]+"

/* The family of cl100k: words may begin with one sign, newlines stay with the signs before them. */
#define WORDS "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define SIGNS " ?[^" SPACE "\\p{L}\\p{N}]+[\\r\\n]*"
#define ENDING NEWLINES "|" SPACES_BUT_ONE "|[" SPACE "]+"
#define CL100K(digits) SHORT_FORMS "|" WORDS "|" digits "|" SIGNS "|" ENDING

/* The family of o200k: a word ends where a capital follows a small letter. */
#define CAPITALS "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define SMALLS "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define O200K(short_forms, digits) \
    "[^\\r\\n\\p{L}\\p{N}]?" CAPITALS "*" SMALLS "+" short_forms "|" \
    "[^\\r\\n\\p{L}\\p{N}]?" CAPITALS "+" SMALLS "*" short_forms "|" \
    digits "| ?[^" SPACE "\\p{L}\\p{N}]+[\\r\\n/]*|" ENDING

/* Letters with case, as of an older Unicode: code points, since many of them look like others. */
#define DEEPSEEK_LETTERS \
    "A-Za-z\\x{B5}\\x{C0}-\\x{D6}\\x{D8}-\\x{F6}\\x{F8}-\\x{1BA}\\x{1BC}-\\x{1BF}" \
    "\\x{1C4}-\\x{293}\\x{295}-\\x{2AF}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37B}-\\x{37D}\\x{37F}" \
    "\\x{386}\\x{388}-\\x{38A}\\x{38C}\\x{38E}-\\x{3A1}\\x{3A3}-\\x{3F5}\\x{3F7}-\\x{481}" \
    "\\x{48A}-\\x{52F}\\x{531}-\\x{556}\\x{10A0}-\\x{10C5}\\x{13A0}-\\x{13F5}\\x{13F8}-\\x{13FD}" \
    "\\x{1C90}-\\x{1CBA}\\x{1CBD}-\\x{1CBF}\\x{1D00}-\\x{1D2B}\\x{1D6B}-\\x{1D77}" \
    "\\x{1D79}-\\x{1D9A}\\x{1E00}-\\x{1F15}\\x{1F18}-\\x{1F1D}\\x{1F20}-\\x{1F45}" \
    "\\x{1F48}-\\x{1F4D}\\x{1F50}-\\x{1F57}\\x{1F59}\\x{1F5B}\\x{1F5D}\\x{1F5F}-\\x{1F7D}" \
    "\\x{1F80}-\\x{1FB4}\\x{1FB6}-\\x{1FBC}\\x{1FBE}\\x{1FC2}-\\x{1FC4}\\x{1FC6}-\\x{1FCC}" \
    "\\x{1FD0}-\\x{1FD3}\\x{1FD6}-\\x{1FDB}\\x{1FE0}-\\x{1FEC}\\x{1FF2}-\\x{1FF4}" \
    "\\x{1FF6}-\\x{1FFC}\\x{2102}\\x{2107}\\x{210A}-\\x{2113}\\x{2115}\\x{2119}-\\x{211D}" \
    "\\x{2124}\\x{2126}\\x{2128}\\x{212A}-\\x{212D}\\x{212F}-\\x{2134}\\x{2139}" \
    "\\x{213C}-\\x{213F}\\x{2145}-\\x{2149}\\x{214E}\\x{2183}\\x{2184}\\x{2C00}-\\x{2C7B}" \
    "\\x{2C7E}-\\x{2CE4}\\x{2CEB}-\\x{2CEE}\\x{2CF2}\\x{2CF3}\\x{A640}-\\x{A66D}" \
    "\\x{A680}-\\x{A69B}\\x{A722}-\\x{A76F}\\x{A771}-\\x{A787}\\x{A78B}-\\x{A78E}" \
    "\\x{AB70}-\\x{ABBF}\\x{FB00}-\\x{FB06}\\x{FB13}-\\x{FB17}\\x{FF21}-\\x{FF3A}" \
    "\\x{FF41}-\\x{FF5A}\\x{10400}-\\x{1044F}\\x{104B0}-\\x{104D3}\\x{104D8}-\\x{104FB}" \
    "\\x{10C80}-\\x{10CB2}\\x{10CC0}-\\x{10CF2}\\x{118A0}-\\x{118DF}\\x{1E900}-\\x{1E943}"
#define DEEPSEEK_CJK "[一-龥\\x{3040}-ゟ゠-ヿ]+"
#define DEEPSEEK_WORDS \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|" \
    "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
#define DEEPSEEK_IDEOGRAPHS "[一-龥ࠀ-一가-\\x{D7FF}]+"

static const split_rule rules[] = {
    {{"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"},
     false,
     {ONE_DIGIT, GPT2}},
    {{"gpt-2", "phi-2", "olmo", "mpt", "jais", "trillion", "granite-docling", "gigachat", "a.x-4.0",
      "mellum", "modern-bert", "exaone4", "roberta-bpe", "jina-v2-code"},
     false,
     {GPT2}},
    {{"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2",
      "jina-v5-nano", "glm4", "glm5"},
     true,
     {CL100K(THREE_DIGITS)}},
    {{"dbrx", "smaug-bpe", "chatglm-bpe"}, false, {CL100K(THREE_DIGITS)}},
    {{"qwen2", "deepseek-r1-qwen", "stablelm2", "megrez", "hunyuan", "solar-open", "grok-2",
      "kormo"},
     false,
     {CL100K(ONE_DIGIT)}},
    {{"qwen35"},
     false,
     {SHORT_FORMS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}|"
      " ?[^" SPACE "\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" ENDING}},
    {{"gpt-4o", "llama4", "kanana2", "minimax-m2"}, false, {O200K(SHORT_FORMS "?", THREE_DIGITS)}},
    {{"tekken"}, true, {O200K("", ONE_DIGIT)}},
    {{"deepseek-llm"},
     false,
     {"[\\r\\n]",
      "[" SPACE "]?[" DEEPSEEK_LETTERS "]+",
      "[" SPACE "]?[!-/:-~！-／：-～‘-‟\\x{3000}-。]+",
      "(?<![" SPACE "])[" SPACE "]++\\z",
      DEEPSEEK_IDEOGRAPHS,
      "\\p{N}+"}},
    {{"deepseek-coder"},
     false,
     {"[\\r\\n]", "[" SPACE "]?\\p{L}+", "[" SPACE "]?\\p{P}+", DEEPSEEK_IDEOGRAPHS, ONE_DIGIT}},
    {{"deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"},
     false,
     {THREE_DIGITS, DEEPSEEK_CJK, DEEPSEEK_WORDS " ?[\\p{P}\\p{S}]+[\\r\\n]*|" ENDING}},
    {{"default", ""}, false, {"[\\p{P}$+<=>^~|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}},
    {{"falcon"}, false, {"[\\p{P}$+<=>^~|`]+", GPT2, "[0-9][0-9][0-9]"}},
    {{"bloom", "poro-chat", "gpt3-finnish"}, false, {" ?[^(" SPACE "|.,!?…。，、।۔،)]+"}},
    {{"viking"}, false, {" ?[^(" SPACE "|.,!?…。，、।۔،)]+", ONE_DIGIT}},
    {{"bailingmoe", "bailingmoe2", "llada-moe"},
     false,
     {"'(?i:[sdmt]|ll|ve|re)|" WORDS "|\\p{N}|" SIGNS "|[" SPACE "]*[\\r\\n]|" SPACES_BUT_ONE "|"
      "[" SPACE "]+"}},
    {{"seed-coder"},
     false,
     {SHORT_FORMS "|" WORDS "|\\p{N}| ?[^" SPACE "\\p{L}\\p{N}\\r\\n]+|" ENDING}},
    {{"exaone-moe"},
     false,
     {SHORT_FORMS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}\\p{M}*+(?: ?+\\p{L}\\p{M}*+)*+|\\p{N}|"
      " ?[^" SPACE "\\p{L}\\p{N}]+[\\r\\n/]?|[" SPACE "]*[\\r\\n]|" SPACES_BUT_ONE "|"
      "[" SPACE "]+"}},
    {{"ufakzeka"}, false, {WORDS "|\\p{N}|" SIGNS "|" ENDING}},
    {{"laguna"}, false, {"[^\\n]+|[\\n]+", CL100K(ONE_DIGIT)}},
    {{"minicpm5"}, true, {THREE_DIGITS, CL100K("\\p{N}+")}},
};

static const char *const bos_adders[] = {"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1",
                                         "pixtral", "midm-2.0", "lfm2", "jina-v5-nano", "tekken"};

bool split_adds_bos(const char *name) {
    for (size_t i = 0; i < sizeof bos_adders / sizeof bos_adders[0]; i++)
        if (strcmp(bos_adders[i], name) == 0) return true;
    return false;
}

const split_rule *split_rule_at(size_t index) {
    return index < sizeof rules / sizeof rules[0] ? &rules[index] : NULL;
}

/* "smollm, gpt-2, …": the first name of each rule. */
static void list_names(char *out, size_t out_bytes) {
    size_t used = 0;
    const split_rule *rule;
    for (size_t i = 0; (rule = split_rule_at(i)) && used < out_bytes; i++)
        used += (size_t)snprintf(out + used, out_bytes - used, "%s%s", i > 0 ? ", " : "",
                                 rule->names[0]);
}

status split_rule_find(const split_rule **out, const char *name, failure *f) {
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        for (const char *const *known = rules[i].names; *known; known++)
            if (strcmp(*known, name) == 0) {
                *out = &rules[i];
                return STATUS_OK;
            }
    char names[384];
    list_names(names, sizeof names);
    return fail(f, STATUS_UNSUPPORTED,
                "the split pattern \"%.64s\" (tokenizer.ggml.pre) is not known; known are %s", name, names);
}
