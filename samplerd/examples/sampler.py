#!/usr/bin/python3
"""A sampler of one's own: sampler.py ENDPOINT [POOL [show]]. Its rule is top-a: keep p >= 0.2 * (the largest p)^2. Before
it, the logits of the last 64 ids are penalized, or small models go round in circles. With `show` it prints what each
draw had to choose from, as text."""
import array, math, os, random, signal, sys, time
import zmq
import common_pb2, logits_pb2


def log_sum(row):
    largest = max(row)
    return largest + math.log(sum(math.exp(logit - largest) for logit in row))


# A vocabulary writes bytes as letters: printable ones stand for themselves, the others for what follows U+0100.
plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
byte_of = {chr(byte): byte for byte in plain}
byte_of |= {chr(256 + i): byte for i, byte in enumerate(sorted(set(range(256)) - plain))}
texts = {}                              # of ids; empty without `show`


def learn(piece):
    for i, token in enumerate(piece.tokens, piece.first_token):
        letters = token.decode()
        known = all(letter in byte_of for letter in letters)
        texts[i] = bytes(map(byte_of.get, letters)).decode(errors="replace") if known else letters


def show(step, left, chosen):
    likeliest = sorted(range(len(left)), key=left.__getitem__, reverse=True)[:5]
    likeliest += [chosen] * (chosen not in likeliest)
    print(step, *(f"{'>' * (i == chosen)}{texts[i]!r} {left[i] / sum(left):.3f}" for i in likeliest if left[i]), flush=True)


def choose(row, ids, step, chance):
    penalized = list(row)
    for i in set(ids[-64:]):
        penalized[i] = row[i] / 1.1 if row[i] > 0 else row[i] * 1.1
    total = log_sum(penalized)
    probabilities = [math.exp(logit - total) for logit in penalized]
    least = 0.2 * max(probabilities) ** 2
    left = [p if p >= least else 0.0 for p in probabilities]
    chosen = chance.choices(range(len(row)), left)[0]
    if texts:
        show(step, left, chosen)
    return common_pb2.Drawn(id=chosen, logprob=row[chosen] - log_sum(row))     # of the raw logits


def answer(request, frames):
    reply = logits_pb2.SampleReply(ticket=request.ticket, request=request.request, attempt=request.attempt, step=request.step)
    if request.given or request.want_probabilities:
        reply.error.code, reply.error.message = common_pb2.UNSUPPORTED, "this sampler draws and does nothing else"
        return reply
    rows, ids = array.array("f", frames[0]), array.array("i", frames[1])
    for i in range(request.n_rows):     # seed and step decide alone, so that a step can be taken again anywhere
        chance = random.Random(1 << 85 | request.seed << 32 | request.step + i)     # three words: as in Ruby
        reply.drawn.append(choose(rows[i * request.n_vocab:(i + 1) * request.n_vocab], ids, request.step + i, chance))
        ids.append(reply.drawn[i].id)
        if request.drafts[i:i + 1] not in ([], [ids[-1]]):
            break                       # the rows after this one belong to another text
    return reply


def send(**fields):
    message = logits_pb2.LogitsReply(**fields)
    setattr(message.control, "from", mine)
    message.control.to = theirs
    try:
        socket.send(message.SerializeToString())
    except zmq.Again:
        pass                            # no modeld there yet


def leave(*_):
    send(control=common_pb2.Control(leave=common_pb2.Leave()))
    context.destroy(linger=500)
    sys.exit()


if not sys.argv[1:]:
    sys.exit(__doc__)
context = zmq.Context()
socket = context.socket(zmq.DEALER)
socket.immediate, socket.linger, socket.sndtimeo = 1, 0, 1500
socket.connect(sys.argv[1])
mine, theirs = random.getrandbits(63) + 1, 0    # incarnations: ours, and modeld's
offer = common_pb2.SamplerOffer(pool=(sys.argv + [""])[2], semantics="top-a/3")
hello = common_pb2.Control(hello=common_pb2.Hello(
    version=2, role=common_pb2.SAMPLERD, name="sampler.py", pid=os.getpid(), heartbeat_ms=500, sampler=offer))
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, leave)
send(control=hello)
while True:
    if not socket.poll(1500):           # a modeld pings when it is idle: this one is gone
        if theirs:                      # it may come back: then this Hello is no repeated one
            send(control=common_pb2.Control(leave=common_pb2.Leave()))
        theirs = 0
        send(control=hello)
        continue
    header, *frames = socket.recv_multipart()
    message = logits_pb2.LogitsRequest.FromString(header)
    word = message.control.WhichOneof("word")
    if word == "hello":
        theirs = getattr(message.control, "from")
        if sys.argv[3:] == ["show"]:
            send(vocabulary=common_pb2.VocabularyQuery(vocabulary=message.control.hello.model.vocabulary))
    elif word == "heartbeat":
        send(control=common_pb2.Control(heartbeat=common_pb2.Heartbeat()))
    elif word in ("say_hello", "leave"):
        theirs = 0
        send(control=hello)
    elif word == "refused":
        theirs, why = 0, message.control.refused
        if why.code not in (common_pb2.BUSY, common_pb2.NO_MEMORY):
            sys.exit(why.message)
        time.sleep(0.5)                 # there may be room later
        send(control=hello)
    elif message.HasField("vocabulary"):
        learn(message.vocabulary)
    elif message.HasField("sample"):
        send(sample=answer(message.sample, frames))
