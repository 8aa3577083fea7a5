package api_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"daybook/internal/testdesk"
)

func TestMain(m *testing.M) {
	code := testdesk.Run(m)
	if code == 0 {
		missing := unlisted()
		if flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" && !testing.Short() {
			missing = append(missing, unmet()...)
		}
		for _, m := range missing {
			fmt.Println(m)
			code = 1
		}
	}
	os.Exit(code)
}

// TestInPostgreSQL runs the tests of queries once more, with the read models in PostgreSQL.
func TestInPostgreSQL(t *testing.T) {
	t.Parallel()
	testdesk.InPostgreSQL(t, map[string]func(*testing.T){
		"Roles": TestRoles, "AgentsSeeTheirDepartments": TestAgentsSeeTheirDepartments, "ReadYourWrites": TestReadYourWrites, "AsOf": TestAsOf,
		"ConditionalRequests": TestConditionalRequests, "NotModified": TestNotModified, "AnswersOfReplies": TestAnswersOfReplies,
		"Cursors": TestCursors, "BadInput": TestBadInput, "SubjectsOfTickets": TestSubjectsOfTickets,
		"ReportOverClockChanges": TestReportOverClockChanges, "ReportIsKnownForEver": TestReportIsKnownForEver, "ReportKeepsNames": TestReportKeepsNames,
		"ReportFigures": TestReportFigures, "ReportOfNothing": TestReportOfNothing, "ReportMistakes": TestReportMistakes, "WorktimeByWhenThingsHappened": TestWorktimeByWhenThingsHappened,
		"SlicesOfPresence": TestSlicesOfPresence, "TagsAsTheyWereCalled": TestTagsAsTheyWereCalled, "SlicesAddUpToTheDesk": TestSlicesAddUpToTheDesk,
		"WhoIsWho": TestWhoIsWho, "NoInquiryIsLostForItsNumber": TestNoInquiryIsLostForItsNumber, "NoInquiryIsLostForItsAddress": TestNoInquiryIsLostForItsAddress, "StrangersReply": TestStrangersReply,
		"WhatAnInquiryTeaches": TestWhatAnInquiryTeaches, "ContactIsRestored": TestContactIsRestored, "DeletedContactWrites": TestDeletedContactWrites,
		"TagsAndGroupsAreArchived": TestTagsAndGroupsAreArchived, "ChannelsReadNothing": TestChannelsReadNothing,
		"StrangersOfAnotherDepartment": TestStrangersOfAnotherDepartment, "OddValuesOfPeople": TestOddValuesOfPeople,
		"ForgottenWhileServed": TestForgottenWhileServed, "Rows": TestRows, "ConcurrentRepeats": TestConcurrentRepeats, "DeletingWhatOthersName": TestDeletingWhatOthersName,
		"DeletingDepartment": TestDeletingDepartment, "RoleMatrix": TestRoleMatrix, "MessagesToHiddenTickets": TestMessagesToHiddenTickets,
		"AsOfWhenOneSawIt": TestAsOfWhenOneSawIt, "KeysWithoutAnAgent": TestKeysWithoutAnAgent, "ImportersMakeNoOwners": TestImportersMakeNoOwners,
		"AdminsDoNotManageOwners": TestAdminsDoNotManageOwners, "AgentsDeleteNobody": TestAgentsDeleteNobody,
		"DepartmentsThatOneDoesNotServe": TestDepartmentsThatOneDoesNotServe, "Transfers": TestTransfers, "OneLine": TestOneLine,
		"TextThatIsNone": TestTextThatIsNone, "TextIsKept": TestTextIsKept, "TextIsWhatCame": TestTextIsWhatCame,
		"QueriesSayWhatIsMeant": TestQueriesSayWhatIsMeant, "WritesAreNotMoved": TestWritesAreNotMoved, "NullOfWhatIsNew": TestNullOfWhatIsNew, "InstantsAreClear": TestInstantsAreClear,
		"WhatAReportCanBe": TestWhatAReportCanBe, "PagesEndAtTheirSize": TestPagesEndAtTheirSize, "OrderOfTheLog": TestOrderOfTheLog, "TheEpoch": TestTheEpoch,
		"WhatIsNotThere": TestWhatIsNotThere, "DeletedThings": TestDeletedThings, "LocationIsThere": TestLocationIsThere,
		"OddRequests": TestOddRequests, "Search": TestSearch, "TicketFilters": TestTicketFilters, "WhatHasNone": TestWhatHasNone, "NewestEvents": TestNewestEvents,
		"WrongKeys": TestWrongKeys, "RefusedBeforeTheBody": TestRefusedBeforeTheBody,
		"BodiesArriveInTime": TestBodiesArriveInTime, "LimitsOfAKey": TestLimitsOfAKey, "ClientsThatDoNotRead": TestClientsThatDoNotRead,
		"ReadyWithoutAKey": TestReadyWithoutAKey, "HeadOfAStream": TestHeadOfAStream, "RequestsOfAKey": TestRequestsOfAKey,
		"StreamSaysWhereItIs": TestStreamSaysWhereItIs, "StreamEndsWithItsKey": TestStreamEndsWithItsKey, "RequestIDFindsItsEvents": TestRequestIDFindsItsEvents,
		"RefusalsThatAreNotKept": TestRefusalsThatAreNotKept, "ImportsHaveLimits": TestImportsHaveLimits, "BodiesAtTheLimit": TestBodiesAtTheLimit,
		"NamesOfIDsAndThings": TestNamesOfIDsAndThings, "Identify": TestIdentify, "CustomersWrite": TestCustomersWrite, "LookUp": TestLookUp, "Offers": TestOffers, "CustomFields": TestCustomFields, "OneFieldOfAName": TestOneFieldOfAName, "Visits": TestVisits, "TypesOfContacts": TestTypesOfContacts, "CountriesOfContacts": TestCountriesOfContacts,
		"NotesOfContacts": TestNotesOfContacts, "Pictures": TestPictures, "PicturesThatAreRefused": TestPicturesThatAreRefused,
	})
}
