"""What a document may ask for, judged before it is validated: each in one walk over what was written.

Fragments are counted once and multiplied, so that a document whose fragments name each other twice, thirty times
over, costs thirty steps here and is refused.
"""

from dataclasses import dataclass, field

from graphql.language import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
)

from apps.api.graphql.problems import refused

MOST_BYTES = 64 * 1024
MOST_TOKENS = 8_000
MOST_FIELDS = 1_000
MOST_DEPTH = 18
MOST_SAME = 20
MOST_COMPARED = 5_000
MOST_ROOTS = 20
MOST_INTROSPECTIONS = 3
MOST_DIRECTIVES = 100
MOST_VARIABLES = 100
MOST_OPERATIONS = 50
LONGEST_NAME = 63
MOST_NESTED = 4
MOST_RECORDS = 10_000
FIRST = 25
FIRST_INSIDE = 10


@dataclass(slots=True)
class _Weight:
    """A selection's weight. `same` holds, by response key, how often it occurs and what is compared below it."""

    fields: int = 0
    depth: int = 0
    directives: int = 0
    same: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def compared(self) -> int:
        """Return how many pairs the validation compares: fields of one key each with each, and all below them."""
        return sum(count * count * below for count, below in self.same.values())

    def add(self, other: "_Weight") -> None:
        """Add what stands in the same selection set."""
        self.fields += other.fields
        self.directives += other.directives
        self.depth = max(self.depth, other.depth)
        for key, (count, below) in other.same.items():
            mine = self.same.get(key, (0, 1))
            self.same[key] = (mine[0] + count, max(mine[1], below))


class _Scales:
    """Weighs selections; a fragment is weighed once, and one that leads to itself is refused."""

    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._weighed: dict[str, _Weight | None] = {}

    def fragment(self, name: str) -> _Weight:
        """Return the weight of a fragment; one that nobody defined is the validation's matter."""
        if name in self._weighed:
            known = self._weighed[name]
            if known is None:
                raise refused("A fragment leads back to itself.", code="GRAPHQL_TOO_COMPLEX")
            return known
        node = self._fragments.get(name)
        if node is None:
            return _Weight()
        self._weighed[name] = None
        made = self._weighed[name] = self.selections(node.selection_set.selections)
        return made

    def selections(self, nodes: tuple[SelectionNode, ...]) -> _Weight:
        """Return the weight of a selection set."""
        total = _Weight()
        for node in nodes:
            total.directives += len(node.directives)
            if isinstance(node, FieldNode):
                total.add(self._field(node))
            elif isinstance(node, InlineFragmentNode):
                total.add(self.selections(node.selection_set.selections))
            else:
                assert isinstance(node, FragmentSpreadNode)
                total.add(self.fragment(node.name.value))
        if any(count > MOST_SAME for count, _ in total.same.values()):
            raise _over(f"One selection names a field more than {MOST_SAME} times.", MOST_SAME)
        if total.compared > MOST_COMPARED:
            raise _over("The same fields are asked for too often, one within the other.", MOST_COMPARED)
        return total

    def _field(self, node: FieldNode) -> _Weight:
        key = node.alias.value if node.alias else node.name.value
        if len(key) > LONGEST_NAME:
            raise _over(f"An alias may have {LONGEST_NAME} characters.", LONGEST_NAME)
        inner = self.selections(node.selection_set.selections) if node.selection_set else _Weight()
        same = {key: (1, max(1, inner.compared))}
        return _Weight(inner.fields + 1, inner.depth + 1, inner.directives, same)


def check(document: DocumentNode) -> None:
    """Refuse a document that is more than one request may ask for."""
    if len(document.definitions) > MOST_OPERATIONS:
        raise _over(f"A document may hold {MOST_OPERATIONS} operations and fragments.", MOST_OPERATIONS)
    scales = _Scales(
        {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    )
    for node in document.definitions:
        if isinstance(node, FragmentDefinitionNode):
            weight = scales.fragment(node.name.value)
        elif isinstance(node, OperationDefinitionNode):
            weight = scales.selections(node.selection_set.selections)
            if len(node.variable_definitions or ()) > MOST_VARIABLES:
                raise _over(f"An operation may have {MOST_VARIABLES} variables.", MOST_VARIABLES)
        else:
            continue
        if weight.depth > MOST_DEPTH:
            raise _over(f"Fields may be nested {MOST_DEPTH} levels deep.", MOST_DEPTH)
        if weight.fields > MOST_FIELDS:
            raise _over(f"A document may ask for {MOST_FIELDS} fields.", MOST_FIELDS)
        if weight.directives > MOST_DIRECTIVES:
            raise _over(f"A document may hold {MOST_DIRECTIVES} directives.", MOST_DIRECTIVES)


def check_roots(count: int) -> None:
    """Refuse an operation with too many root fields: each is a statement of its own."""
    if count > MOST_ROOTS:
        raise _over(f"An operation may ask {MOST_ROOTS} things at once.", MOST_ROOTS)


def check_records(count: int) -> None:
    """Refuse an operation that could answer with too many records."""
    if count > MOST_RECORDS:
        raise _over(
            f"This could answer with {count:,} records; at most {MOST_RECORDS:,}. Lower `first`.",
            MOST_RECORDS,
        )


def check_nesting(depth: int) -> None:
    """Refuse relations in relations beyond the limit."""
    if depth > MOST_NESTED:
        raise _over(f"Relations may be nested {MOST_NESTED} levels deep.", MOST_NESTED)


def _over(message: str, limit: int) -> Exception:
    return refused(message, code="GRAPHQL_TOO_COMPLEX", limit=limit)
