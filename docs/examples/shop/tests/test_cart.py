import unittest

from shop.cart import Cart


class CartTest(unittest.TestCase):
    def test_is_empty_at_first(self) -> None:
        self.assertEqual(Cart().lines, [])

    def test_keeps_the_order(self) -> None:
        cart = Cart()
        cart.add("apple", 50)
        cart.add("pear", 70)
        self.assertEqual([line.name for line in cart.lines], ["apple", "pear"])

    def test_adds_up(self) -> None:
        cart = Cart()
        cart.add("apple", 50, quantity=3)
        self.assertEqual(cart.total(), 150)
