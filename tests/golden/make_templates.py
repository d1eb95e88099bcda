#!/usr/bin/python3
"""Makes templates.jsonl: chat templates in the shapes of real models' ones, and what jinja2 writes with them; and
template-runs.jsonl: parts of templates, and what it writes of each for a system's "S" and a user's " U ".

    python3 make_templates.py > templates.jsonl         (wants jinja2)
    python3 make_templates.py runs > template-runs.jsonl

A line of the first is a template, its tokens' texts, the form that it has to be recognised as (null: none), and conversations with
what jinja2 writes: null where the template refuses by raise_exception. Of a template that writes a form in some
conversations only, and of one that writes it always but in a way that is not followed, the form is null.
"""
import itertools
import json
import sys

from jinja2.sandbox import ImmutableSandboxedEnvironment


class Refused(Exception):
    pass


def refuse(message):
    raise Refused(message)


ENVIRONMENT = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
ENVIRONMENT.globals["raise_exception"] = refuse

CONTENTS = ["Hi", " a \n", "", "x", "\u00a0no-break\u3000", "\x1cunit\x1f", "<|im_end|>", "two\n\nlines\n", "{{ x }}",
            "<think>\nt\n</think>\n\nsaid", "User: y", "日本語"]


def talks():
    contents = itertools.cycle(CONTENTS)
    shapes = ["u", "a", "ua", "uu", "au", "uau", "auaauua", "uauauauauauau"]
    shapes += ["s"] + ["s" + shape for shape in shapes]
    roles = {"s": "system", "u": "user", "a": "assistant"}
    return [[(roles[letter], next(contents)) for letter in shape] for shape in shapes]


IM = "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}"
GO = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
CHATML = "{% for m in messages %}" + IM + "{% endfor %}" + GO
HEADER = "'<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n'"
LLAMA_GO = "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"


def loop(before="", body=IM, behind=GO):
    return before + "{% for m in messages %}" + body + "{% endfor %}" + behind


def llama(content, before="{{ bos_token }}"):
    return loop(before, "{{ " + HEADER + " + " + content + " + '<|eot_id|>' }}", LLAMA_GO)


LLAMA_DATED = """{{- bos_token }}
{%- if not date_string is defined %}
    DATE
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- the system message comes first: it isn't one of those below #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if builtin_tools is defined or tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Cutting Knowledge Date: May 2021\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif message.tool_calls|length != 1 %}
        {{- raise_exception("one at a time") }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
DATE = "{%- set date_string = '26 Jul 2024' %}"
CLOCK = """{%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}"""

WITH_TOOLS = """{%- macro shown(tool, depth=0) %}
    {{- tool | tojson(indent=depth * 2) ~ {"a": [1.5, -2], 'b': {'c': none}}["a"][-1] }}
{%- endmacro %}
{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- for tool in tools if tool.function is defined %}{{ shown(tool, depth=2 ** 3 // 2) }}{% endfor %}
    {%- set names = tools | map(attribute='name') | list, 1 %}
    {%- set text %}{{ names[::2] }}{% endset %}
    {%- set (a, b) = names %}
    {{- '<|im_end|>\\n' }}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\\n' ~ messages[0].content ~ '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nYou help.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "tool" and messages[loop.index0 - 1].role != "tool" %}
        {{- message.content | replace('a', 'b') }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""

OUTSIDE = """{#- a comment that's long -#}
{{ bos_token -}}
   {% if messages[0].role != 'system' %}
<|im_start|>system
Be kind.<|im_end|>
   {% endif %}
{% for message in messages %}
    {# nothing #}
{#+ nothing either -#}

{% set role = message.role -%}

<|im_start|>{{ role }}
{{ message.content }}<|im_end|>
{% endfor %}
{%+ if add_generation_prompt %}
<|im_start|>assistant
{% endif %}
"""

PLAIN = """{% for m in messages %}{% if m.role == 'user' %}User: {{ m.content }}
{% elif m.role == 'assistant' %}Assistant: {{ m.content.strip() }}
{% else %}{{ m.content ~ '\\n' }}{% endif %}{% endfor %}Assistant:"""

MULTIMODAL = loop("", """{% if loop.first and m.role != 'system' %}<|im_start|>system
You see.<|im_end|>
{% endif %}<|im_start|>{{ m.role }}
{% if m.content is string %}{{ m.content }}<|im_end|>
{% else %}{% for part in m.content %}{{ part.text }}{% endfor %}<|im_end|>
{% endif %}""")

VARIABLES = """{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set system = messages[0]['content'] %}
{% else %}{% set rest = messages %}{% set system = 'It\\'s a \\\\ and a "quote".' %}{% endif %}
{{ '<|im_start|>system\\n' + system + '<|im_end|>\\n' }}{% for m in rest %}""" + IM + "{% endfor %}" + GO

LOST_ALONE = """{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set system = messages[0]['content'] %}
{% else %}{% set rest = messages %}{% set system = 'Hm.' %}{% endif %}
{% for m in rest %}{% if loop.first %}{{ '<|im_start|>system\\n' + system + '<|im_end|>\\n' }}{% endif %}""" + IM + """
{% endfor %}""" + GO

# Three flags count to eight: the ninth message is another one.
COUNTER = loop("{% set ns = namespace(a=false, b=false, c=false) %}", """{% if ns.a and ns.b and ns.c %}{{ 'again: ' }}{% endif %}""" + IM +
               """{% if ns.a and ns.b %}{% set ns.c = not ns.c %}{% endif %}{% if ns.a %}{% set ns.b = not ns.b %}{% endif %}{% set ns.a = not ns.a %}""")

TEMPLATES = [
    # name, form, template, bos, eos
    ("chatml", "chatml", CHATML, "<s>", "</s>"),
    ("chatml-own-system", "chatml", loop("", "{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are kind.<|im_end|>\n' }}{% endif %}" + IM), "<|im_start|>", "<|im_end|>"),
    ("chatml-empty-system", "chatml", loop("{% if messages[0].role != 'system' %}{{ '<|im_start|>system\n<|im_end|>\n' }}{% endif %}"), "", ""),
    ("chatml-tools", "chatml", WITH_TOOLS, "", "<|im_end|>"),
    ("chatml-outside", "chatml", OUTSIDE, "<s>", "</s>"),
    ("chatml-multimodal", "chatml", MULTIMODAL, "", ""),
    ("chatml-variables", "chatml", VARIABLES, "", ""),
    ("chatml-eos-closes", "chatml", loop("", "{{ '<|im_start|>' ~ m.role ~ '\n' ~ m.content ~ eos_token ~ '\n' }}"), "", "<|im_end|>"),
    ("chatml-alternates", "chatml", loop("", "{% if m.role not in ['system', \"us\" 'er', 'assistant'] %}{{ raise_exception('who?') }}{% endif %}{% if loop.index0 % 2 == 0 and messages[0].role == 'user' and m.role != 'user' %}{{ raise_exception('turns') }}{% endif %}" + IM), "", ""),
    ("chatml-refuses", "chatml", loop("{% set ns = namespace(user=true) %}", "{% if m.role == 'system' and loop.index > 1 %}{{ raise_exception('late') }}{% elif m.role != 'system' %}{% if (m.role == 'user') != ns.user %}{{ raise_exception('turns: ' + m.role) }}{% endif %}{% set ns.user = not ns.user %}{% endif %}" + IM), "", ""),
    ("chatml-refuses-no-user", "chatml", "{% if messages|length > 1 and messages[1].role != 'user' and messages[0].role == 'system' %}{{ raise_exception('a user comes second') }}{% endif %}" + CHATML, "", ""),
    ("chatml-refuses-system", "chatml", "{% if messages[0].role == 'system' %}{{ raise_exception('none') }}{% endif %}" + CHATML, "", ""),
    ("chatml-choices", "chatml", loop("{% set go = '<|im_start|>assistant\n' if add_generation_prompt else '' %}", "{{ '<|im_start|>' ~ (m.role if m.role is defined else 'user') ~ '\n' ~ (m.name or m.content | default('')) | string ~ '<|im_end|>\n' }}", "{{ go }}"), "", ""),
    ("chatml-ahead", "chatml", loop("{{ '<|im_start|>' }}", "{{ m.role + '\n' + m.content + '<|im_end|>\n<|im_start|>' }}", "{{ 'assistant\n' }}"), "", ""),
    ("chatml-behind", "chatml", loop("", "{% if not loop.first %}{{ '<|im_end|>\n' }}{% endif %}{{ '<|im_start|>' + m.role + '\n' + m.content }}", "{{ '<|im_end|>\n<|im_start|>assistant\n' }}"), "", ""),
    ("chatml-flag", "chatml", loop("{% set ns = namespace(begun=false) %}", "{% if not ns.begun and m.role != 'system' %}{% set ns.begun = true %}{{ '' }}{% endif %}" + IM), "", ""),
    ("chatml-no-tools-list", "chatml", "{% if not tools is defined %}{% set tools = [] %}{% endif %}{% if tools is iterable and tools | length > 0 %}{{ 'tools' }}{% endif %}" + CHATML, "", ""),
    ("chatml-length", "chatml", loop("{% set n = messages | length %}{% if messages and n > 0 %}{{ '' }}{% endif %}", "{% if n == 1 and not loop.last %}{{ 'x' }}{% endif %}" + IM), "", ""),
    ("chatml-trims-its-own", "chatml", loop("", "{{ ('\n <|im_start|>' + m.role + '\n' + m.content + '<|im_end|> ') | trim + '\n' }}"), "", ""),
    ("llama3", "llama3", llama("m['content'] | trim"), "<|begin_of_text|>", "<|eot_id|>"),
    ("llama3-first", "llama3", "{% set loop_messages = messages %}{% for m in loop_messages %}{% set content = " + HEADER + "+ m['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}" + LLAMA_GO, "<|begin_of_text|>", ""),
    ("llama3-bos-spelled", "llama3", llama("m.content.strip() | trim", "<|begin_of_text|>"), "<|begin_of_text|>", ""),
    ("llama3-no-bos", "llama3", llama("m.content | trim", ""), "<|begin_of_text|>", ""),
    ("llama3-dates", "llama3", LLAMA_DATED.replace("DATE", DATE), "<|begin_of_text|>", ""),
    ("llama3-no-clock", "llama3", LLAMA_DATED.replace("DATE", CLOCK), "<|begin_of_text|>", ""),
    ("llama3-dates-own-system", "llama3", LLAMA_DATED.replace("DATE", DATE).replace('message = ""', 'message = "You are kind."'), "<|begin_of_text|>", ""),
    ("plain", "plain", PLAIN, "", ""),

    ("always-a-system", None, "{{ '<|im_start|>system\nRhyme.<|im_end|>\n' }}" + CHATML, "", ""),
    ("eos-behind-replies", None, loop("", IM + "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}"), "", "<|im_end|>"),
    ("eos-behind-the-last", None, loop("", IM + "{% if loop.last and m.role == 'assistant' %}{{ eos_token }}{% endif %}"), "", "</s>"),
    ("no-newline", None, loop("", "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' }}"), "", ""),
    ("no-newline-behind-the-last", None, loop("", IM.replace("+ '\n' }}", "+ ('' if loop.last else '\n') }}")), "", ""),
    ("newline-in-the-block", None, loop("", IM + "\n"), "", ""),
    ("trims", None, loop("", IM.replace("m['content']", "m['content'] | trim")), "", ""),
    ("trims-replies", None, loop("", IM.replace("m['content']", "(m.content | trim if m.role == 'assistant' else m.content)")), "", ""),
    ("trims-the-end", None, loop("", "{{ ('<|im_start|>' + m.role + '\n' + m.content) | trim + '<|im_end|>\n' }}"), "", ""),
    ("llama3-untrimmed", None, llama("m['content']"), "<|begin_of_text|>", ""),
    ("llama3-environment", None, LLAMA_DATED.replace("DATE", DATE).replace("builtin_tools is defined", "true"), "<|begin_of_text|>", ""),
    ("llama3-tools-not-none", None, LLAMA_DATED.replace("DATE", DATE).replace("{%- if not tools is defined %}\n    {%- set tools = none %}\n{%- endif %}\n", ""), "<|begin_of_text|>", ""),
    ("llama3-clock", None, LLAMA_DATED.replace("DATE", "{%- set date_string = strftime_now('%d %b %Y') %}"), "<|begin_of_text|>", ""),
    ("llama3-prefix", None, LLAMA_DATED.replace("DATE", DATE).replace("Cutting Knowledge Date", "Dear model"), "<|begin_of_text|>", ""),
    ("llama3-functions", None, "{{ bos_token }}{{ '<|start_header_id|>system<|end_header_id|>\n\nYou may call functions.<|eot_id|>' }}" + llama("m.content | trim", ""), "<|begin_of_text|>", ""),
    ("bos-twice", None, "{{ bos_token + bos_token }}" + CHATML, "<s>", ""),
    ("bos-behind", None, CHATML + "{{ bos_token }}", "<s>", ""),
    ("no-generation-prompt", None, loop(behind=""), "", ""),
    ("thinks-first", None, loop(behind=GO.replace("assistant\n", "assistant\n<think>\n")), "", ""),
    ("reply-not-prompted", None, loop(behind="{% if messages[-1].role == 'user' %}" + GO + "{% endif %}"), "", ""),
    ("tests-a-content", None, loop("", "{% if m.content %}" + IM + "{% endif %}"), "", ""),
    ("finds-in-a-content", None, loop("", "{% if '</think>' in m.content %}{{ '' }}{% endif %}" + IM), "", ""),
    ("compares-a-content", None, loop("", "{% if m.content == 'x' %}{{ 'y' }}{% endif %}" + IM), "", ""),
    ("splits-a-content", None, loop("", IM.replace("m['content']", "m.content.split('</think>')[-1]")), "", ""),
    ("replaces-in-a-content", None, loop("", IM.replace("m['content']", "m.content | replace('x', 'y')")), "", ""),
    ("measures-a-content", None, loop("", "{% if m.content | length > 99 %}{{ 'long' }}{% endif %}" + IM), "", ""),
    ("loses-a-lone-system", None, LOST_ALONE, "", ""),
    ("system-in-capitals", None, loop("", IM.replace("m['role']", "(m.role | upper if m.role == 'system' else m.role)")), "", ""),
    ("user-twice", None, loop("", "{% if loop.index0 == 1 and m.role == 'user' and messages[0].role == 'user' %}{{ 'again: ' }}{% endif %}" + IM), "", ""),
    ("the-eighth", None, loop("", "{% if loop.index0 == 7 %}{{ 'eight: ' }}{% endif %}" + IM), "", ""),
    ("each-third", None, loop("", "{% if loop.index % 3 == 2 and loop.index > 4 %}{{ 'three: ' }}{% endif %}" + IM), "", ""),
    ("long-talks", None, "{% if messages | length > 8 %}{{ 'long: ' }}{% endif %}" + CHATML, "", ""),
    ("counts-by-flags", None, COUNTER, "", ""),
    ("counts-by-text", None, loop("{% set ns = namespace(t='') %}", "{% set ns.t = ns.t + 'i' %}{% if ns.t == 'iiiiiiii' %}{{ 'eight: ' }}{% endif %}" + IM), "", ""),
    ("the-one-before", None, loop("{% set ns = namespace(t='') %}", IM + "{% if loop.index > 9 %}{{ ns.t }}{% endif %}{% set ns.t = m.content %}"), "", ""),
    ("two-loops", None, "{% set ns = namespace(n=false) %}{% for m in messages %}{% set ns.n = not ns.n %}{% endfor %}" + CHATML, "", ""),
    ("refuses-all", None, "{{ raise_exception('no') }}" + CHATML, "", ""),
    ("refuses-replies", None, loop("", "{% if m.role == 'assistant' %}{{ raise_exception('no') }}{% endif %}" + IM), "", ""),
    ("other-names", None, CHATML.replace("m['role']", "(m.role if m.role != 'assistant' else 'bot')"), "", ""),
    ("pad-behind", None, CHATML + "{{ pad_token }}", "", ""),
    ("one-message", None, "{{ '<|im_start|>' + messages[0].role + '\n' + messages[0].content + '<|im_end|>\n' }}" + GO, "", ""),
    ("first-always", None, loop("", IM.replace("m['content']", "messages[0].content if loop.index > 3 else m.content").replace("'\n' + ", "'\n' + (").replace(" + '<|im_end|>'", ") + '<|im_end|>'")), "", ""),
    ("bos-set-behind-nothing", None, "{% for t in x %}{% else %}{{ bos_token }}{% endfor %}{% set bos_token = 'x' %}" + CHATML, "<s>", ""),
    ("set-behind-nothing-in-a-loop", None, loop("", "{% for t in x %}{% else %}{{ '' if add_generation_prompt else 'x' }}{% endfor %}{% set add_generation_prompt = true %}" + IM), "<s>", ""),
    ("escapes-an-accent", None, "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\nCaf\\é.<|im_end|>\n' }}{% endif %}" + CHATML, "", ""),
    ("says-false", None, CHATML + "{{ messages[0].role == 'nobody' }}", "", ""),
    ("plain-system-named", None, PLAIN.replace("{{ m.content ~ '\\n' }}", "System: {{ m.content ~ '\\n' }}"), "", ""),
    ("plain-marked", None, PLAIN + "{% if messages[0].role == 'system' %} {% endif %}", "", ""),
    ("inst", None, loop("{{ bos_token }}", "{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}{% else %}{{ m.content + eos_token }}{% endif %}", ""), "<s>", "</s>"),
    ("zephyr", None, loop("", "{{ '<|' + m.role + '|>\n' + m.content + eos_token + '\n' }}", "{{ '<|assistant|>\n' }}"), "", "</s>"),
    ("turns", None, loop("{{ bos_token }}", "{{ '<start_of_turn>' + m.role + '\n' + m.content | trim + '<end_of_turn>\n' }}", "{{ '<start_of_turn>model\n' }}"), "<bos>", ""),
    ("im-sep", None, loop("", "{{ '<|im_start|>' + m.role + '<|im_sep|>' + m.content + '<|im_end|>' }}", "{{ '<|im_start|>assistant<|im_sep|>' }}"), "", ""),
]


RUNS = [
    # whitespace
    "a\n", "a\n\n", "a\r\nb\rc\n", " {{ 'x' }} \n", "  {% if true %}\n  a\n  {% endif %}\n  b", "a  {% if true %}  \nb{% endif %}",
    "a \n {%- if true -%} \n b \n {%- endif %}\nc", "a\n  {%+ if true %}b\n  {%+ endif %}\nc", "a\n{% if true +%}\nb{% endif +%}\nc",
    "a\n  {# c #}\n b {#- c -#} \n d{#+ c +#}\ne", "{# {{ x }} {% if %} #}a", "{#-#}a{##}b", "a\u00a0\u3000{{- 'x' -}}\u2003\x1cb",
    "  {{- 'x' }}\n  {{ 'y' -}}  \n z", "{{ '}}' }}{{ \"%}\" }}", "{{ 'a' if true}}", "{{'a'}}}", "{ {{ 'x' }} % } #}", "{{+ 'x' }}",
    "\t{% set x = 'y' %}\n\t{{ x }}", "a{% if true %}\n\n{% endif %}\n\nb", "\n  {% if true %}{% endif %}  \n", "a\n\u00a0{% if true %}b{% endif %}",
    "a\n {% if true %}{# c #}\n {% endif %}\n", "{% for m in messages %}\n  {{ m.role }}\n{% endfor %}\n",
    # literals
    r"{{ 'a\nb\tc\rd\'e\"f\\g\qh' }}", "{{ 'a\\\nb' }}", "{{ 'a' 'b' \"c\" }}", "{{ 'é日' ~ \"\" }}", "{{ 'a\nb' }}",
    # operators
    "{{ 'a' + 'b' ~ 'c' + 'd' }}", "{{ 'a' ~ x ~ 'b' }}", "{{ 'a' + ' b ' | trim + 'c' }}", "{{ ('a' + ' b ') | trim + 'c' }}",
    "{{ 'y' if 'a' == 'a' and not 'a' != 'a' else 'n' }}", "{{ 'y' if 'a' in ['b', 'a',] else 'n' }}", "{{ 'y' if 'a' not in ('b', 'c') else 'n' }}",
    "{{ 'y' if 'bc' in 'abcd' and '' in 'a' and 'x' not in 'abc' else 'n' }}", "{{ '' or 'b' }}{{ 'a' and 'b' }}{{ x or none or 'c' }}",
    "{{ 'y' if none == none and x == y and none != x and true == true and 'a' != none else 'n' }}", "{{ 'a' if false }}b",
    "{{ 'a' if false else 'b' if false else 'c' }}", "{{ 'y' if not x is defined else 'n' }}", "{{ 'y' if x is not defined and messages is defined else 'n' }}",
    "{{ 'y' if 2 > 1 and 1 >= 1 and 1 < 2 and 0 <= 0 and 1 == 1 and 1 != 2 else 'n' }}", "{{ 'y' if 0 or none else 'n' }}",
    "{{ x | default('d') }}{{ 'a' | default('d') }}{{ 'a' | string }}", "{{ 'y' if true and false or true else 'n' }}", "{{ (('a')) }}",
    "{{ 'y' if [] or not [] and ['a'] else 'n' }}", "{{ 'y' if x | length == 0 and [] | length < 1 and ['a', 'b'] | count == 2 else 'n' }}",
    # messages
    "{{ messages[0].role ~ messages[1]['role'] ~ messages[1:][0].role }}", "{{ messages[0]['content'] + messages[1].content.strip() }}",
    "{{ messages[1].content }}|{{ messages[1].content | trim }}|{{ messages[0].content | trim | trim }}", "{{ messages.0.role }}",
    "{{ 'y' if 'role' in messages[0] and 'tool_calls' not in messages[0] and messages[0].tool_calls is not defined else 'n' }}",
    "{{ 'y' if messages[0].content is string and messages[0].content is not mapping and messages[0].content is iterable and messages[0] is mapping else 'n' }}",
    "{{ 'y' if messages | length == 2 and messages[1:] | length > 0 and messages[2:] | length == 0 and messages else 'n' }}",
    "{{ 'y' if messages[0].content is not none and messages[0].content != none and messages[0].name is undefined else 'n' }}",
    "{{ 'y' if messages[0].content ~ 'a' else 'n' }}", "{{ ('(' ~ messages[1].content ~ ') ') | trim }}",
    # the loop, and what is set where
    "{% for m in messages %}{{ 'f' if loop.first }}{{ 'l' if loop.last }}{{ '0' if loop.index0 == 0 }}{{ '2' if loop.index == 2 }}{{ 'e' if loop.index0 % 2 == 0 }}{% endfor %}",
    "{% set a = 'x' %}{% for m in messages %}{{ a }}{% set a = m.role %}{{ a }}{% endfor %}{{ a }}{{ m }}",
    "{% for m in messages[1:] %}{{ m.role }}{% if loop.first %}1{% endif %}{% else %}none{% endfor %}", "{% for m in messages[2:] %}a{% else %}{% set q = 'b' %}{{ q }}{% endfor %}{{ q }}",
    "{% for t in tools %}a{% endfor %}{% for a, b in [] %}c{% endfor %}{% for t in x if t.y %}d{% else %}e{% endfor %}",
    "{% set ns = namespace(a='x', b=none) %}{% for m in messages %}{{ ns.a }}{% set ns.a = m.role %}{% set ns.c = 'new' %}{% endfor %}{{ ns.a ~ ns.c ~ ns.d }}{{ 'y' if ns.b is none }}",
    "{% set ns = namespace() %}{% set other = ns %}{% set other.a = 'x' %}{{ ns.a }}", "{% if x %}{% set a = 'y' %}{% elif true %}{% set a = 'z' %}{% else %}{% set a = 'w' %}{% endif %}{{ a }}",
    "{% if not tools is defined %}{% set tools = none %}{% endif %}{{ 'y' if tools is none }}", "{% set messages = messages[1:] %}{% for messages in messages %}{{ messages.role }}{% endfor %}{{ messages[0].role }}",
    "{% macro f(a, b='c') %}{{ a }}{% endmacro %}b",
    "{{ bos_token ~ eos_token ~ date_string ~ strftime_now }}{{ 'g' if add_generation_prompt }}", "{% set m = messages[1] %}{{ m.role }}{% set r = m['content'] %}{{ r | trim }}",
    "{% for m in messages %}{% if m.role == 'system' %}{% set r = 'S' %}{% elif m.role == 'user' %}{% set r = 'U' %}{% endif %}{{ r }}{% for t in m.tool_calls %}{% endfor %}{% endfor %}",
]


def written(template, messages, bos, eos):
    try:
        return template.render(messages=[{"role": role, "content": content} for role, content in messages],
                               add_generation_prompt=True, bos_token=bos, eos_token=eos)
    except Refused:
        return None


def runs():
    for text in RUNS:
        template = ENVIRONMENT.from_string(text)
        messages = [("system", "S"), ("user", " U ")]
        print(json.dumps({"template": text, "text": written(template, messages, "<s>", "</s>")}, ensure_ascii=False))


def main():
    if sys.argv[1:] == ["runs"]:
        return runs()
    for name, form, text, bos, eos in TEMPLATES:
        template = ENVIRONMENT.from_string(text)
        line = {"name": name, "form": form, "template": text, "bos": bos, "eos": eos, "talks": []}
        if form:
            line["talks"] = [{"messages": m, "text": written(template, m, bos, eos)} for m in talks()]
        print(json.dumps(line, ensure_ascii=False))


if __name__ == "__main__":
    main()
