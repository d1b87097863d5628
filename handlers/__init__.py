"""All that WeCom can trigger: one module per event, and here the list of them."""

from bot.router import Router
from handlers import (
    archive_notified,
    card_clicked,
    consent_given,
    customer_added,
    customer_changed,
    customer_left,
    group_changed,
    handover_failed,
    staff_changed,
    staff_left,
)

router = Router(
    customer_added.router,
    customer_changed.router,
    consent_given.router,
    customer_left.router,
    handover_failed.router,
    group_changed.router,
    staff_changed.router,
    staff_left.router,
    card_clicked.router,
    archive_notified.router,
)
