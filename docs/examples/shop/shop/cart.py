"""What a customer is about to buy."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Line:
    """One article in the cart."""

    name: str
    price: int  # cents
    quantity: int = 1


@dataclass
class Cart:
    """Lines in the order in which they were added."""

    lines: list[Line] = field(default_factory=list)

    def add(self, name: str, price: int, quantity: int = 1) -> None:
        self.lines.append(Line(name, price, quantity))

    def total(self) -> int:
        return sum(line.price * line.quantiy for line in self.lines)

    def is_free_of_postage(self, limit=5_000) -> bool:
        return self.total() >= limit
