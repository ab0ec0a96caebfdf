"""The tracking room: names for runs whose maker gave none."""

# ruff: noqa: SIM905 a hundred words are read more easily as lines than as a list

import random

MOODS = (
    "able amber ample brave brisk bright calm candid clear clever cosmic crisp daring deft eager early fair fleet fond"
    " frank fresh gentle glad grand handy happy hardy honest humble keen kind lively loyal lucid mellow merry mild"
    " modest neat nimble noble patient placid plucky polite proud quick quiet rapid ready robust rustic serene sharp"
    " silent sincere sleek smart snappy solid spry stable steady still sturdy subtle sunny swift tidy true upbeat"
    " valiant vivid warm wise witty zesty"
).split()
THINGS = (
    "ash aspen badger beech birch bison brook canyon cedar cliff comet condor coral crane creek delta dune eagle elm"
    " falcon fern finch fjord forest fox glacier grove gull harbor hare hawk heron hill ibis island jay juniper kestrel"
    " lagoon lake lark linden lynx maple marsh marten meadow mesa moon moose moss oak orca osprey otter owl panda peak"
    " pine plover pond puffin quail raven reef ridge river robin seal shore shrew sparrow spruce stoat stork swan teal"
    " tern thrush tide trout valley walrus willow wolf wren"
).split()


def made_up() -> str:
    """Make a name such as quiet-otter-271; it need not be unique."""
    return f"{random.choice(MOODS)}-{random.choice(THINGS)}-{random.randrange(1000)}"  # noqa: S311 a name, no secret
