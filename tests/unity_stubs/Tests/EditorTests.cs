using System.Linq;
using MotionBridge.EditorTools;
using MotionBridge.Unity;
using NUnit.Framework;
using UnityEditor;
using UnityEngine;

namespace MotionBridge.Tests
{
    [TestFixture]
    public class EditorTests
    {
        [SetUp]
        public void EmptyScene()
        {
            UnityEngine.Object.ForgetAll();
            SessionState.SetString("MotionBridge.PromptHistory", "");
            MotionBridgeConnection.OpenTransport = new FakeServer().Open;
        }

        [Test]
        public void TheMenuMakesACharacterAndOneConnection()
        {
            var two = new[] { new GameObject("hero(Clone)"), new GameObject("hero(Clone)") };
            Selection.gameObjects = two;
            Assert.IsTrue(MenuItems.CanMakeCharacter());
            MenuItems.MakeCharacter();
            MenuItems.MakeCharacter();
            Assert.AreEqual(1, UnityEngine.Object.FindObjectsOfType<MotionBridgeConnection>().Length);
            Assert.AreEqual(2, UnityEngine.Object.FindObjectsOfType<MotionCharacter>().Length);
            Assert.AreNotEqual(
                two[0].GetComponent<MotionCharacter>().CharacterName, two[1].GetComponent<MotionCharacter>().CharacterName);
            Assert.IsTrue(two.All(item => item.GetComponent<MotionCharacter>().Connection == MotionBridgeConnection.Find()));
        }

        [Test]
        public void TheCheckNamesWhatIsMissing()
        {
            var character = new GameObject("a").AddComponent<MotionCharacter>();
            StringAssert.Contains("MotionBridgeConnection", CharacterCheck.Advice(character));
            new GameObject("net").AddComponent<MotionBridgeConnection>();
            StringAssert.Contains("Animator", CharacterCheck.Advice(character));
        }

        [Test]
        public void TheHistoryKeepsTheNewestFirstAndEachOnce()
        {
            var character = new GameObject("a").AddComponent<MotionCharacter>();
            character.Connection = new GameObject("net").AddComponent<MotionBridgeConnection>();
            foreach (var text in new[] { "wave", "bow", "wave" })
            {
                Assert.AreEqual("", PromptHistory.Send(character, text, false));
            }
            CollectionAssert.AreEqual(new[] { "wave", "bow" }, PromptHistory.Sentences);
            StringAssert.Contains("500", PromptHistory.Send(character, new string('x', 501), false));
            CollectionAssert.AreEqual(new[] { "wave", "bow" }, PromptHistory.Sentences);
            Assert.IsTrue(CharacterStatus.Lines(character).Any(line => line.Key == "Last prompt" && line.Value.Contains("wave")));
            Assert.AreEqual(0.0f, CharacterStatus.BufferHealth(character));
        }
    }
}
