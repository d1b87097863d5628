"""Find the members of departments along an index, and customers by when they were met."""

from typing import Any

from peewee import CharField, CompositeKey, IntegerField, Model, PostgresqlDatabase

# Whoever writes a member's departments, the rows follow: no writer can forget it.
FOLLOW_POSTGRES = """
CREATE FUNCTION staff_department_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM staff_department WHERE userid = NEW.userid;
  INSERT INTO staff_department (department_id, userid)
    SELECT DISTINCT department::int, NEW.userid
    FROM jsonb_array_elements_text(NEW.departments::jsonb) AS department;
  RETURN NULL;
END $$;
CREATE TRIGGER staff_department_of_new AFTER INSERT ON staff
  FOR EACH ROW EXECUTE FUNCTION staff_department_follows();
CREATE TRIGGER staff_department_of_changed AFTER UPDATE OF departments ON staff
  FOR EACH ROW WHEN (OLD.departments::text IS DISTINCT FROM NEW.departments::text)
  EXECUTE FUNCTION staff_department_follows()
"""
FILL_POSTGRES = """
INSERT INTO staff_department (department_id, userid)
  SELECT DISTINCT department::int, userid
  FROM staff, jsonb_array_elements_text(departments::jsonb) AS department
"""
FILL_SQLITE = """
INSERT INTO staff_department (department_id, userid)
  SELECT DISTINCT json_each.value, staff.userid FROM staff, json_each(staff.departments)
"""
FOLLOW_SQLITE = """
  DELETE FROM staff_department WHERE userid = NEW.userid;
  INSERT INTO staff_department (department_id, userid)
    SELECT DISTINCT json_each.value, NEW.userid FROM json_each(NEW.departments);
"""


def up(migrator: Any, db: Any) -> None:
    class StaffDepartment(Model):
        department_id = IntegerField()
        userid = CharField(max_length=64, index=True)

        class Meta:
            database = db
            table_name = "staff_department"
            primary_key = CompositeKey("department_id", "userid")

    db.create_tables([StaffDepartment])
    if isinstance(db, PostgresqlDatabase):
        db.execute_sql(FILL_POSTGRES)
        for statement in FOLLOW_POSTGRES.split(";\nCREATE TRIGGER"):
            is_function = "FUNCTION staff_department_follows() RETURNS" in statement
            db.execute_sql(statement if is_function else "CREATE TRIGGER" + statement)
    else:
        db.execute_sql(FILL_SQLITE)
        for name, when in (
            ("of_new", "AFTER INSERT ON staff"),
            (
                "of_changed",
                "AFTER UPDATE OF departments ON staff WHEN OLD.departments IS NOT NEW.departments",
            ),
        ):
            db.execute_sql(
                f"CREATE TRIGGER staff_department_{name} {when} BEGIN {FOLLOW_SQLITE} END"
            )
    db.execute_sql("CREATE INDEX customer_met ON customer (met_at, external_userid)")


def down(migrator: Any, db: Any) -> None:
    db.execute_sql("DROP INDEX customer_met")
    on_staff = " ON staff" if isinstance(db, PostgresqlDatabase) else ""
    for name in ("of_new", "of_changed"):
        db.execute_sql(f"DROP TRIGGER staff_department_{name}{on_staff}")
    if on_staff:
        db.execute_sql("DROP FUNCTION staff_department_follows()")
    db.execute_sql("DROP TABLE staff_department")
