"""Departments, members, in which departments they are, and their former userids."""

from typing import Any

from peewee import (
    BooleanField,
    CharField,
    CompositeKey,
    IntegerField,
    JSONField,
    Model,
    PostgresqlDatabase,
)

from bot.db import UTCDateTimeField

# Whatever writes a member's departments, the rows follow: no writer can forget it. Names are looked
# up in PostgreSQL's own schema: another one may hold functions of others.
FOLLOW_ON_POSTGRES = """
CREATE FUNCTION staff_department_follows() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM {schema}.staff_department WHERE userid = NEW.userid;
  INSERT INTO {schema}.staff_department (department_id, userid)
    SELECT DISTINCT department::int, NEW.userid
    FROM jsonb_array_elements_text(NEW.departments::jsonb) AS department;
  RETURN NULL;
END $$
"""
ON_POSTGRES = {
    "of_new": "INSERT ON staff FOR EACH ROW",
    "of_changed": (
        "UPDATE OF departments ON staff FOR EACH ROW"
        " WHEN (OLD.departments::text IS DISTINCT FROM NEW.departments::text)"
    ),
}
FOLLOW_ON_SQLITE = """
  DELETE FROM staff_department WHERE userid = NEW.userid;
  INSERT INTO staff_department (department_id, userid)
    SELECT DISTINCT json_each.value, NEW.userid FROM json_each(NEW.departments);
"""
ON_SQLITE = {
    "of_new": "INSERT ON staff",
    "of_changed": "UPDATE OF departments ON staff WHEN OLD.departments IS NOT NEW.departments",
}


def up(migrator: Any, db: Any) -> None:
    class Department(Model):
        id = IntegerField(primary_key=True)
        name = CharField(max_length=255)
        parent_id = IntegerField()
        leaders = JSONField()

        class Meta:
            database = db
            table_name = "department"

    class Staff(Model):
        userid = CharField(max_length=64, primary_key=True)
        name = CharField(max_length=255)
        departments = JSONField()
        main_department = IntegerField(null=True)
        direct_leader = CharField(max_length=64, null=True)
        status = IntegerField()
        serves = BooleanField()
        left_at = UTCDateTimeField(null=True)
        returned_at = UTCDateTimeField(null=True)
        capacity = IntegerField(null=True)
        daily_quota = IntegerField(null=True)
        licences = JSONField()
        skills = JSONField()
        availability = JSONField()
        on_duty = BooleanField()
        on_leave = BooleanField()
        seen_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "staff"

    class StaffDepartment(Model):
        department_id = IntegerField()
        userid = CharField(max_length=64, index=True)

        class Meta:
            database = db
            table_name = "staff_department"
            primary_key = CompositeKey("department_id", "userid")

    class FormerUserid(Model):
        former = CharField(max_length=64, primary_key=True)
        userid = CharField(max_length=64, index=True)
        renamed_at = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "former_userid"

    db.create_tables([Department, Staff, StaffDepartment, FormerUserid])
    if isinstance(db, PostgresqlDatabase):
        [schema] = db.execute_sql("SELECT quote_ident(current_schema())").fetchone()
        # A literal % would be a parameter's beginning; a schema's name may have one.
        db.execute_sql(FOLLOW_ON_POSTGRES.format(schema=schema).replace("%", "%%"))
        for name, when in ON_POSTGRES.items():
            db.execute_sql(
                f"CREATE TRIGGER staff_department_{name} AFTER {when}"
                " EXECUTE FUNCTION staff_department_follows()"
            )
    else:
        for name, when in ON_SQLITE.items():
            db.execute_sql(
                f"CREATE TRIGGER staff_department_{name} AFTER {when} BEGIN {FOLLOW_ON_SQLITE} END"
            )


def down(migrator: Any, db: Any) -> None:
    for table in ("former_userid", "staff", "staff_department", "department"):
        db.execute_sql(f"DROP TABLE {table}")
    if isinstance(db, PostgresqlDatabase):
        db.execute_sql("DROP FUNCTION staff_department_follows()")
