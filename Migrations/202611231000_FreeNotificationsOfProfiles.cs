using FluentMigrator;

namespace InstaSlice.Migrations;

/// <summary>
/// Notifications without foreign keys, which were a quarter of what it takes to make one. Profiles are never deleted, only erased, and
/// that takes their notifications away itself.
/// </summary>
[Migration(202611231000, "Free notifications of foreign keys to profiles")]
public sealed class FreeNotificationsOfProfiles : Migration
{
    public override void Up() =>
        Execute.Sql(
            """
            alter table notifications
                drop constraint notifications_recipient_id_fkey,
                drop constraint notifications_actor_id_fkey;
            alter table inboxes drop constraint inboxes_profile_id_fkey;
            """
        );

    public override void Down() =>
        Execute.Sql(
            """
            alter table notifications
                add constraint notifications_recipient_id_fkey foreign key (recipient_id) references profiles on delete restrict,
                add constraint notifications_actor_id_fkey foreign key (actor_id) references profiles on delete restrict;
            alter table inboxes add constraint inboxes_profile_id_fkey foreign key (profile_id) references profiles on delete cascade;
            """
        );
}
