#include "chat_templates.h"

const char template_smollm2[] =
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% endif %}";

#define QWEN_TOOLS                                                                                 \
    "    {{- \"\\n\\n# Tools\\n\\nYou may call one or more functions to assist with the user "     \
    "query.\\n\\nYou are provided with function signatures within <tools></tools> XML "            \
    "tags:\\n<tools>\" }}\n"                                                                       \
    "    {%- for tool in tools %}\n        {{- \"\\n\" }}\n        {{- tool | tojson }}\n"         \
    "    {%- endfor %}\n"                                                                          \
    "    {{- \"\\n</tools>\\n\\nFor each function call, return a json object within "              \
    "<tool_call></tool_call> XML tags:\\n<tool_call>\\n{\\\"name\\\": <function-name>, "           \
    "\\\"arguments\\\": <args-json-object>}\\n</tool_call><|im_end|>\\n\" }}\n"

#define QWEN_MESSAGES                                                                              \
    "{%- for message in messages %}\n"                                                             \
    "    {%- if (message.role == \"user\") or (message.role == \"system\" and not loop.first) or " \
    "(message.role == \"assistant\" and not message.tool_calls) %}\n"                              \
    "        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' "  \
    "}}\n    {%- endif %}\n{%- endfor %}\n"                                                        \
    "{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\\n' }}\n{%- endif %}\n"

const char template_qwen25[] =
    "{%- if tools %}\n    {{- '<|im_start|>system\\n' }}\n"
    "    {%- if messages[0]['role'] == 'system' %}\n        {{- messages[0]['content'] }}\n"
    "    {%- else %}\n"
    "        {{- 'You are Qwen, created by Alibaba Cloud. You are a helpful assistant.' }}\n"
    "    {%- endif %}\n" QWEN_TOOLS "{%- else %}\n    {%- if messages[0]['role'] == 'system' %}\n"
    "        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}\n"
    "    {%- else %}\n"
    "        {{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful "
    "assistant.<|im_end|>\\n' }}\n    {%- endif %}\n{%- endif %}\n" QWEN_MESSAGES;

const char template_qwen_branch[] =
    "{{- '<|im_start|>system\\n' }}\n{%- if messages[0]['role'] == 'system' %}\n"
    "    {{- messages[0]['content'] }}\n{%- else %}\n"
    "    {{- 'It\\'s a \\\\ and a \"quote\".' }}\n{%- endif %}\n{{- '<|im_end|>\\n' "
    "}}\n" QWEN_MESSAGES;

const char template_variable[] =
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
    "{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}"
    "{% set system_message = 'You are a helpful assistant.' %}{% endif %}"
    "{% for message in loop_messages %}{% if loop.index0 == 0 %}"
    "{{ '<|im_start|>system\n' + system_message + '<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{{ '<|im_start|>assistant\n' }}";

const char template_outside[] =
    "{# how it looks #}\n{{ bos_token -}}\n{% if messages[0].role != 'system' %}\n"
    "<|im_start|>system\nBe kind.<|im_end|>\n{% endif %}\n"
    "{% for message in messages %}\n"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}\n{% if add_generation_prompt %}\n<|im_start|>assistant\n{% endif %}";

const char template_qwen3[] =
    "{%- if tools %}\n    {{- '<|im_start|>system\\n' }}\n"
    "    {%- if messages[0].role == 'system' %}\n"
    "        {{- messages[0].content + '\\n\\n' }}\n    {%- endif %}\n" QWEN_TOOLS
    "{%- else %}\n    {%- if messages[0].role == 'system' %}\n"
    "        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}\n"
    "    {%- endif %}\n{%- endif %}\n" QWEN_MESSAGES;

const char template_chatml_bare[] =
    "{% if messages[0]['role'] == 'system' %}{% set system_message = '' %}{% endif %}"
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n'}}{% endfor %}";

const char template_llama3[] =
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ "
    "message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}"
    "{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}";

#define LLAMA31_MESSAGES                                                                           \
    "{%- if not tools is defined %}\n    {%- set tools = none %}\n{%- endif %}\n"                  \
    "{%- if messages[0]['role'] == 'system' %}\n"                                                  \
    "    {%- set system_message = messages[0]['content']|trim %}\n"                                \
    "    {%- set messages = messages[1:] %}\n{%- else %}\n"                                        \
    "    {%- set system_message = \"\" %}\n{%- endif %}\n\n"                                       \
    "{#- System message + builtin tools: they're few #}\n"                                         \
    "{{- \"<|start_header_id|>system<|end_header_id|>\\n\\n\" }}\n"                                \
    "{%- if builtin_tools is defined or tools is not none %}\n"                                    \
    "    {{- \"Environment: ipython\\n\" }}\n{%- endif %}\n"                                       \
    "{{- \"Cutting Knowledge Date: December 2023\\n\" }}\n"                                        \
    "{{- \"Today Date: \" + date_string + \"\\n\\n\" }}\n"                                         \
    "{{- system_message }}\n{{- \"<|eot_id|>\" }}\n\n"                                             \
    "{%- for message in messages %}\n"                                                             \
    "    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + "               \
    "message['content'] | trim + '<|eot_id|>' }}\n{%- endfor %}\n"                                 \
    "{%- if add_generation_prompt %}\n"                                                            \
    "    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}\n{%- endif %}\n"

const char template_llama31[] =
    "{{- bos_token }}\n{%- if not date_string is defined %}\n"
    "    {%- set date_string = \"26 Jul 2024\" %}\n{%- endif %}\n" LLAMA31_MESSAGES;

const char template_llama32[] =
    "{{- bos_token }}\n{%- if not date_string is defined %}\n"
    "    {%- if strftime_now is defined %}\n"
    "        {%- set date_string = strftime_now(\"%d %b %Y\") %}\n    {%- else %}\n"
    "        {%- set date_string = \"26 Jul 2024\" %}\n    {%- endif %}\n"
    "{%- endif %}\n" LLAMA31_MESSAGES;

const char template_plain[] =
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ 'User: ' + message['content'] + '\n' }}{% elif message['role'] == 'assistant' %}"
    "{{ 'Assistant: ' + message['content'] | trim + '\n' }}{% else %}"
    "{{ message['content'] + '\n' }}{% endif %}{% endfor %}{{ 'Assistant:' }}";

const char template_zephyr[] =
    "{% for message in messages %}\n{% if message['role'] == 'user' %}\n"
    "{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n"
    "{{ '<|system|>\n' + message['content'] + eos_token }}\n"
    "{% elif message['role'] == 'assistant' %}\n"
    "{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n"
    "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n"
    "{% endfor %}";

const char template_mistral[] =
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
    "{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}{% endif %}"
    "{% endfor %}";

const char template_gemma[] =
    "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'assistant') %}"
    "{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}";

const char template_phi3[] =
    "{% for message in messages %}{% if message['role'] == 'system' %}"
    "{{'<|system|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'user' %}"
    "{{'<|user|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}"
    "{{ '<|assistant|>\n' }}";

const char template_phi4[] =
    "{% for message in messages %}{% if (message['role'] == 'system') %}"
    "{{'<|im_start|>system<|im_sep|>' + message['content'] + '<|im_end|>'}}"
    "{% elif (message['role'] == 'user') %}"
    "{{'<|im_start|>user<|im_sep|>' + message['content'] + '<|im_end|>'}}{% endif %}{% endfor %}"
    "{{ '<|im_start|>assistant<|im_sep|>' }}";
