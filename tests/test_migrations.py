"""The migrations make what the models need, and can be taken back with data in the tables."""

from playhouse.schema_diff import diff_models

from bot import clock, db, migrations
from bot.models import TABLES, Customer, Ownership, Staff


def test_the_migrated_database_is_what_the_models_need(store: str) -> None:
    assert migrations.pending() == []
    assert not diff_models(db.database.obj, list(TABLES))


def test_all_can_be_taken_back_and_brought_again_with_data_in_the_tables(store: str) -> None:
    Staff.create(userid="zhangsan", seen_at=clock.now())
    Customer.meet("wm_chen", channel="", met_at=clock.now())
    Ownership.claim("wm_chen", "zhangsan", at=clock.now(), reason="test")
    names = [path.stem for path in sorted(migrations.DIRECTORY.glob("0*.py"))]

    taken = []
    while name := migrations.down():
        taken += name

    assert taken == names[::-1]
    assert migrations.up() == names
    assert Customer.select().count() == 0
