"""Payments and refunds: euros, and who has to look at them."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from executors.payment.executor import Payment, PaymentExecutor
from executors.refund.executor import Refund, RefundExecutor
from executors.user import User
from trivium import RejectError

AT = datetime(2026, 3, 27, 9, 30, tzinfo=UTC)


def payment(amount: str, currency: str = "PLN") -> Payment:
    return Payment(id="p", at=AT, user="ada", order="o", method="card", amount=Decimal(amount), currency=currency)


@pytest.fixture
def executor() -> PaymentExecutor:
    return PaymentExecutor(PaymentExecutor.Options(rates={"PLN": "0.23"}))


@pytest.mark.parametrize(("zloty", "euros"), [("100.00", "23.00"), ("0.50", "0.12"), ("0.10", "0.02")])
def test_euros_are_rounded_to_cents_once(executor: PaymentExecutor, zloty: str, euros: str) -> None:
    assert executor.process(payment(zloty)).amount == Decimal(euros)


@pytest.mark.parametrize(("amount", "currency"), [("1.00", "XXX"), ("0.00", "PLN"), ("-1.00", "PLN")])
def test_a_payment_that_cannot_be_is_refused(executor: PaymentExecutor, amount: str, currency: str) -> None:
    with pytest.raises(RejectError):
        executor.process(payment(amount, currency))


@pytest.mark.parametrize(
    ("tier", "amount", "looked_at"), [("basic", "50.00", False), ("basic", "50.01", True), ("gold", "500.00", False)]
)
def test_large_refunds_are_looked_at(tier: str, amount: str, looked_at: bool) -> None:
    refund = Refund(id="r", at=AT, user="ada", order="o", amount=Decimal(amount), reason="late")
    assert RefundExecutor().process(refund, User(country="DE", tier=tier)).needs_review is looked_at
